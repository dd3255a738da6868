import CLinux
import Glibc
import KernelInterface

/// Lines that others write into a named pipe, such as keepalived's notify FIFO.
///
/// The pipe is opened for reading and writing, so that it never comes to an end when a writer goes. Lines are read when they are asked
/// for; until then they wait in the kernel's buffer (64 KiB), and a writer that finds it full waits or drops, as it likes.
/// One task reads.
public struct NotifyPipe: AsyncSequence, Sendable {
    public typealias Element = String
    public typealias Failure = Never

    /// A longer line is none of ours and is dropped.
    public static let lineLimitBytes = 4096

    private let descriptor: ReadableDescriptor

    /// Opens a named pipe that exists (``LinuxProcessHost/makeNamedPipe(_:)``).
    public init(path: String) throws(KernelError) {
        let action = "open named pipe \(path)"
        let result = clinux_lift(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC))
        guard result >= 0 else { throw KernelError(errno, action) }
        var status = stat()
        guard fstat(result, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
            Glibc.close(result)
            throw KernelError(EINVAL, action, kernelSentence: "it is no named pipe")
        }
        descriptor = ReadableDescriptor(result)
    }

    /// Ends the iteration. The pipe is closed without it, too, when nobody refers to it any more.
    public func close() { descriptor.close() }

    public func makeAsyncIterator() -> Iterator { Iterator(descriptor: descriptor) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let descriptor: ReadableDescriptor
        private var splitter = LineSplitter(limitBytes: NotifyPipe.lineLimitBytes)

        fileprivate init(descriptor: ReadableDescriptor) { self.descriptor = descriptor }

        /// The next line without its line feed; nil when the pipe is closed or the task was cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> String? {
            while true {
                if let line = splitter.nextLine() { return line }
                var count = 0
                let bytes = [UInt8](unsafeUninitializedCapacity: NotifyPipe.lineLimitBytes) { area, length in
                    count = descriptor.read { Glibc.read($0, area.baseAddress, area.count) } ?? 0
                    length = Swift.max(count, 0)
                }
                splitter.append(bytes)
                if count > 0 { continue }
                guard await descriptor.waitUntilReadable() else { return nil }
            }
        }
    }
}

/// Cuts a stream of bytes into lines of limited length.
struct LineSplitter {
    let limitBytes: Int
    private var bytes: [UInt8] = []
    /// Inside a line that is too long: what follows, up to its end, is dropped.
    private var isSkipping = false

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    mutating func append(_ more: [UInt8]) { bytes += more }

    /// The next complete line; nil when there is none yet. An empty line is a line.
    mutating func nextLine() -> String? {
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes[..<end]
            defer { bytes.removeSubrange(...end) }
            if isSkipping || line.count > limitBytes {
                isSkipping = false
                continue
            }
            return String(decoding: line, as: UTF8.self)
        }
        if bytes.count > limitBytes {
            bytes.removeAll()
            isSkipping = true
        }
        return nil
    }
}
