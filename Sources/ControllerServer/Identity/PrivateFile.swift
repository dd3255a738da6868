import Glibc

/// Small files that only their owner may read: passwords and secrets.
public enum PrivateFile {
    static let mode: mode_t = 0o600
    /// More is not read.
    static let maximumBytes = 4096

    /// Writes beside the file and renames: no reader sees half of it, and nobody else ever could.
    ///
    /// - Returns: nil, or why it cannot be written.
    public static func write(_ text: String, to path: String) -> String? {
        let fresh = "\(path).new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0, rename(fresh, path) == 0 else {
            return String(cString: strerror(errno))
        }
        return nil
    }

    /// What a file holds, or why it is not taken.
    public enum Content: Equatable, Sendable {
        case text(String)
        case missing
        /// Others than its owner and group may read it.
        case exposed
        case unreadable(String)
    }

    /// The first line of a file.
    public static func read(_ path: String) -> Content {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno == ENOENT ? .missing : .unreadable(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .unreadable(String(cString: strerror(errno))) }
        guard status.st_mode & 0o007 == 0 else { return .exposed }
        var bytes = [UInt8](repeating: 0, count: maximumBytes)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { return .unreadable(String(cString: strerror(errno))) }
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        return .text(String(decoding: line, as: UTF8.self))
    }
}
