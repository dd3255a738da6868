import Glibc
import KernelInterface

extension FileContents {
    /// The file stays the same one: who has it open needs no word, and no rights to make another. What is written between the last read and the cut is lost.
    /// A disk that has no room for a copy is a reason to cut the log all the more.
    static func limit(_ log: GrowingLog) throws(KernelError) {
        let action = "limit \(log.path)"
        let descriptor = open(log.path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw KernelError(errno, action) }
            return
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw KernelError(errno, action) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size > log.limitBytes else { return }
        // As the log is: messages of clients are not everybody's to read.
        unlink(log.formerPath)
        let copy = open(log.formerPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        let isCopied = copy >= 0 && fchmod(copy, status.st_mode & 0o777) == 0 && copyAll(from: descriptor, to: copy)
        if copy >= 0 { close(copy) }
        if !isCopied { unlink(log.formerPath) }
        guard ftruncate(descriptor, 0) == 0 else { throw KernelError(errno, action) }
    }

    private static func copyAll(from source: Int32, to target: Int32) -> Bool {
        while true {
            let count = sendfile(target, source, nil, copiedBytes)
            if count == 0 { return true }
            guard count > 0 || errno == EINTR else { return false }
        }
    }

    private static let copiedBytes = 1 << 20
}
