import CLinux
import Glibc
import KernelInterface

/// That one process at a time works with a directory, which it has locked (flock(2)): the directory itself, so that a disk that is full or was mounted for
/// reading only does not matter.
///
/// The kernel takes the lock away when the process ends, however it does, and tells whose it is. What the process started does not have it: no descriptor is handed on.
public final class DirectoryLock: Sendable {
    /// Who has it.
    public enum Holder: Hashable, Sendable {
        case thisProcess
        /// Nil: one that cannot be seen from here, such as a container's.
        case other(Int32?)
    }

    private static let limitBytes = 16 * 1024 * 1024

    private let path: String
    private let descriptor: Int32

    public init(_ path: String) throws(KernelError) {
        self.path = path
        descriptor = clinux_lift(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard descriptor >= 0 else { throw KernelError(errno, "open \(path)") }
    }

    deinit { close(descriptor) }

    /// Takes the lock unless somebody else has it. It is kept for as long as this object is.
    public func take() throws(KernelError) -> Holder {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw KernelError(errno, "lock \(path)") }
            return .other(holder)
        }
        return .thisProcess
    }

    /// "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF" (proc_locks(5)): process, device, inode. Some file systems have other devices there than
    /// stat(2) has.
    private var holder: Int32? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, let bytes = try? FileContents.read("/proc/locks", limit: Self.limitBytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").lazy.compactMap { line -> Int32? in
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[3] == "WRITE", words[5].hasSuffix(":\(status.st_ino)") else { return nil }
            return Int32(words[4]).flatMap { $0 > 0 ? $0 : nil }
        }.first
    }
}
