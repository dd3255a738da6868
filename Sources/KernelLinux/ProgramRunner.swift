import CLinux
import Glibc
import KernelInterface

/// How a program ended, and what it wrote.
public struct ProgramResult: Hashable, Sendable {
    /// 0-255; 128 + N for a program that signal N ended.
    public var exitCode: Int32
    public var standardOutput: String
    public var standardError: String
}

/// The most that ``runProgram(_:namespace:input:timeoutMilliseconds:)`` keeps of either stream; the rest is read and dropped.
public let programOutputLimitBytes = 16 * 1024 * 1024

/// Runs a program to its end, blocking the calling thread: with `ip netns exec` when a namespace is given, with default signal handling, no
/// descriptors but the standard three, and in a process group of its own, which is killed when the time is over.
///
/// - Parameters:
///   - command: the program's name on PATH (or its path) and its arguments.
///   - input: standard input; nil is /dev/null.
/// - Throws: a ``KernelError`` when the program cannot be started (ENOENT: not on PATH) or does not end in time (ETIMEDOUT).
public func runProgram(
    _ command: [String], namespace: NamespaceName? = nil, input: String? = nil, timeoutMilliseconds: Int
) throws(KernelError) -> ProgramResult {
    let words = programWords(command, in: namespace)
    let action = "run \(words.joined(separator: " "))"
    let output = try Pipe(action)
    let error = try Pipe(action)
    let source = input == nil ? nil : try Pipe(action)
    let process = try ChildProcess(words, input: source?.readEnd, output: output.writeEnd, error: error.writeEnd, action)
    output.closeWriteEnd()
    error.closeWriteEnd()
    source?.closeReadEnd()
    var exchange = ProgramExchange(process: process, input: Array((input ?? "").utf8), source: source, output: output, error: error)
    guard exchange.run(until: Deadline(milliseconds: timeoutMilliseconds)) else {
        process.kill()
        _ = process.reap()
        throw KernelError(ETIMEDOUT, action)
    }
    return ProgramResult(
        exitCode: process.reap(), standardOutput: String(decoding: exchange.received[0], as: UTF8.self),
        standardError: String(decoding: exchange.received[1], as: UTF8.self))
}

func programWords(_ command: [String], in namespace: NamespaceName?) -> [String] {
    guard let namespace else { return command }
    return ["ip", "netns", "exec", namespace.description] + command
}

/// A point in time of the monotonic clock.
struct Deadline {
    private let end: Int

    init(milliseconds: Int) { end = Self.now + max(milliseconds, 0) }

    /// What poll(2) may wait: 0 or more.
    var remainingMilliseconds: Int32 { Int32(clamping: max(end - Self.now, 0)) }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int(time.tv_sec) * 1000 + Int(time.tv_nsec) / 1_000_000
    }
}

/// A process that this one started, from its start to its reaping.
final class ChildProcess {
    let id: Int32
    /// Readable when the process has ended.
    let exitDescriptor: Int32

    init(_ words: [String], input: Int32?, output: Int32?, error: Int32?, _ action: String) throws(KernelError) {
        guard !words.isEmpty else { throw KernelError(EINVAL, action, kernelSentence: "the command is empty") }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        let result = clinux_spawn(&arguments, input ?? -1, output ?? -1, error ?? -1)
        guard result > 0 else { throw KernelError(-result, action) }
        id = result
        exitDescriptor = clinux_open_process(result)
        guard exitDescriptor >= 0 else {
            let code = -exitDescriptor
            Glibc.kill(-id, SIGKILL)
            waitpid(id, nil, 0)
            throw KernelError(code, action)
        }
    }

    deinit { close(exitDescriptor) }

    /// Ends the process and all that it started without leaving its group.
    func kill() { Glibc.kill(-id, SIGKILL) }

    /// Waits for the end and answers the exit code.
    func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0 {
            guard errno == EINTR else { return 255 }
        }
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }

    /// False when the process has not ended in time.
    func waitForExit(_ deadline: Deadline) -> Bool {
        var watched = pollfd(fd: exitDescriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let count = poll(&watched, 1, deadline.remainingMilliseconds)
            if count < 0 && errno == EINTR { continue }
            return count > 0
        }
    }
}

/// A pipe whose ends are closed once, at the latest with the object. This process's use of it never blocks.
final class Pipe {
    private(set) var readEnd: Int32
    private(set) var writeEnd: Int32

    init(_ action: String) throws(KernelError) {
        var ends: [Int32] = [-1, -1]
        let result = clinux_pipe(&ends)
        guard result >= 0 else { throw KernelError(-result, action) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        closeReadEnd()
        closeWriteEnd()
    }

    func closeReadEnd() { Self.close(&readEnd) }
    func closeWriteEnd() { Self.close(&writeEnd) }

    private static func close(_ end: inout Int32) {
        guard end >= 0 else { return }
        Glibc.close(end)
        end = -1
    }
}

/// Feeds a program and reads what it writes until it has ended.
///
/// Its end counts, not the end of its streams: a daemon that it left behind may hold them open for ever.
private struct ProgramExchange {
    let process: ChildProcess
    let input: [UInt8]
    let source: Pipe?
    let output: Pipe
    let error: Pipe
    var written = 0
    /// Standard output and standard error.
    var received: [[UInt8]] = [[], []]

    init(process: ChildProcess, input: [UInt8], source: Pipe?, output: Pipe, error: Pipe) {
        self.process = process
        self.input = input
        self.source = source
        self.output = output
        self.error = error
        for descriptor in [output.readEnd, error.readEnd, source?.writeEnd].compactMap({ $0 }) {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
    }

    /// False when the time is over first.
    mutating func run(until deadline: Deadline) -> Bool {
        var hasEnded = false
        while !hasEnded {
            // A negative descriptor is ignored by poll.
            var watched = [
                pollfd(fd: process.exitDescriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: output.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: error.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: source?.writeEnd ?? -1, events: Int16(POLLOUT), revents: 0),
            ]
            let count = poll(&watched, nfds_t(watched.count), deadline.remainingMilliseconds)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return false }
            // Checked before the reads, so that what was written before the end is read after it.
            hasEnded = watched[0].revents != 0
            read(output, 0)
            read(error, 1)
            feed()
        }
        return true
    }

    private mutating func read(_ pipe: Pipe, _ stream: Int) {
        while pipe.readEnd >= 0 {
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { area, length in
                count = Glibc.read(pipe.readEnd, area.baseAddress, area.count)
                length = max(count, 0)
            }
            if count > 0 {
                received[stream] += bytes.prefix(programOutputLimitBytes - received[stream].count)
            } else {
                // The end of the stream, or nothing more at the moment.
                if count == 0 { pipe.closeReadEnd() }
                return
            }
        }
    }

    private mutating func feed() {
        guard let source, source.writeEnd >= 0 else { return }
        while written < input.count {
            let count = input.withUnsafeBytes { area in
                withoutPipeSignal { write(source.writeEnd, area.baseAddress?.advanced(by: written), area.count - written) }
            }
            if count < 0 {
                // A reader that went away does not want the rest.
                if errno != EAGAIN { source.closeWriteEnd() }
                return
            }
            written += count
        }
        source.closeWriteEnd()
    }
}

/// Runs a write without the signal that a closed pipe would raise in this thread.
private func withoutPipeSignal(_ body: () -> Int) -> Int {
    var pipeSignal = sigset_t()
    var before = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
    let result = body()
    let code = errno
    if result < 0 && code == EPIPE {
        var none = timespec()
        sigtimedwait(&pipeSignal, nil, &none)
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    errno = code
    return result
}
