import Glibc
import Synchronization

/// Keeps a second server from the SQLite file of one that runs. The file itself would bear it, but a server hears of its own commits only: the hosts that
/// follow one would never hear of what clients of the other change. With PostgreSQL servers tell each other.
///
/// The lock is one of the kernel (flock(2)) on a file beside the database, and ends with the process, however that ends. Not on the database: closing
/// any descriptor of that would end SQLite's own locks (fcntl(2)).
public final class ServerLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// - Throws: ``StoreError/inUse(_:)`` when another server has it; ``StoreError/notWritable(_:)``.
    public init(_ location: StoreLocation) throws(StoreError) {
        guard case .sqlite(let path) = location else {
            descriptor = Mutex(nil)
            return
        }
        let opened = open(Self.lockPath(path), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // Whether there is no directory, or no right to write, is told by whoever opens the database.
        guard opened >= 0 else {
            descriptor = Mutex(nil)
            return
        }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            close(opened)
            throw .inUse(path)
        }
        descriptor = Mutex(opened)
    }

    deinit { release() }

    public func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    /// Beside the file itself, by whichever link it was named.
    private static func lockPath(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path + "-server" }
        defer { free(resolved) }
        return String(cString: resolved) + "-server"
    }
}
