import Glibc
import KernelInterface

/// Whole files, read and written at once.
enum FileContents {
    private static let chunkBytes = 16 * 1024

    /// Nil when there is no such file. A file beyond `limit` is an error (EFBIG).
    static func read(_ path: String, limit: Int) throws(KernelError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw KernelError(errno, "read \(path)") }
            return nil
        }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        while contents.count <= limit {
            var count = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: chunkBytes) { area, length in
                count = Glibc.read(descriptor, area.baseAddress, area.count)
                length = max(count, 0)
            }
            if count == 0 { return contents }
            guard count > 0 || errno == EINTR else { throw KernelError(errno, "read \(path)") }
            contents += chunk
        }
        throw KernelError(EFBIG, "read \(path)")
    }

    /// Writes a new file that everybody may read.
    static func write(_ path: String, _ contents: [UInt8]) throws(KernelError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw KernelError(errno, "write \(path)") }
        defer { close(descriptor) }
        // Daemons run as users of their own, so the mode does not depend on the umask.
        fchmod(descriptor, 0o644)
        var rest = contents[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw KernelError(errno, "write \(path)") }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}
