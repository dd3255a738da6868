import CLinux
import Foundation
import Glibc
import Synchronization

/// A program that a test runs, as a user would start it. It ends with the test process.
///
///     start ── line of standard error ─▶ … ── end of standard error ─▶ ended
final class Program: Sendable {
    enum Event: Sendable {
        case line(String)
        /// The exit code; nil when a signal ended the program.
        case ended(Int32?)
    }

    /// 0: it could not be started.
    private let processID: Int32
    private let events: AsyncStream<Event>
    private let output = Output()

    /// Not by Foundation's `Process`: with more than some 1,350 open descriptors, as many tests side by side have, it writes beyond its memory.
    ///
    /// - Parameter environment: added to that of the test process.
    init(_ path: String, _ arguments: [String], environment: [String: String] = [:]) {
        let words =
            ["env"] + environment.map { "\($0.key)=\($0.value)" }.sorted() + ["setpriv", "--pdeathsig", "KILL", path] + arguments
        let (outputPipe, errorPipe) = (Pipe(), Pipe())
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        let reads = DispatchGroup()
        let started = DispatchSemaphore(value: 0)
        // The kernel signals the program when the thread that made it ends, so the thread lives as long as it.
        let spawned = Spawned()
        let output = output
        Self.onThread(reads) {
            let data = outputPipe.fileHandleForReading.readDataToEndOfFile()
            output.data.withLock { $0 = data }
        }
        Thread.detachNewThread {
            let process = Self.spawn(words, outputPipe, errorPipe)
            spawned.number.withLock { $0 = max(process, 0) }
            started.signal()
            if process < 0 { continuation.yield(.line("\(words) cannot be started: \(String(cString: strerror(-process)))")) }
            Self.readLines(errorPipe.fileHandleForReading) { continuation.yield(.line($0)) }
            var status: Int32 = 0
            if process > 0 { while waitpid(process, &status, 0) < 0, errno == EINTR {} }
            reads.wait()
            continuation.yield(.ended(process > 0 && status & 0x7F == 0 ? status >> 8 & 0xFF : nil))
            continuation.finish()
        }
        started.wait()
        processID = spawned.number.withLock { $0 }
    }

    private final class Output: Sendable {
        let data = Mutex(Data())
    }

    /// What the program's thread tells the one that started it.
    private final class Spawned: Sendable {
        let number = Mutex(Int32(0))
    }

    /// The process id, or -errno. The program's ends of the pipes are closed here.
    private static func spawn(_ words: [String], _ output: Pipe, _ error: Pipe) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer {
            for argument in arguments { free(argument) }
            try? output.fileHandleForWriting.close()
            try? error.fileHandleForWriting.close()
        }
        return clinux_spawn(&arguments, -1, output.fileHandleForWriting.fileDescriptor, error.fileHandleForWriting.fileDescriptor)
    }

    private static func onThread(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread {
            body()
            group.leave()
        }
    }

    private static func readLines(_ file: FileHandle, _ body: (String) -> Void) {
        var rest = Data()
        while true {
            let data = file.availableData
            guard !data.isEmpty else { return }
            rest += data
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                body(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
                rest = Data(rest[(end + 1)...])
            }
        }
    }

    func signal(_ number: Int32) { if processID > 0 { kill(processID, number) } }

    /// Lines up to one that is wanted; nil when the program ended before.
    func line(containing text: String) async -> String? {
        for await event in events {
            if case .line(let line) = event, line.contains(text) { return line }
        }
        return nil
    }

    /// What the program had still to say on standard error, what it wrote to standard output, and its exit code (nil: a signal ended it).
    func end() async -> (errors: [String], output: String, code: Int32?) {
        var errors: [String] = []
        var code: Int32?
        for await event in events {
            switch event {
            case .line(let line): errors.append(line)
            case .ended(let status): code = status
            }
        }
        return (errors, output.data.withLock { String(decoding: $0, as: UTF8.self) }, code)
    }
}

/// The executable of this package, which the build puts beside the test bundle.
enum Neutrino {
    static let path: String = {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("neutrino").path
    }()

    /// A server on a free port that takes everybody for an administrator (unless `more` says otherwise), ready for clients.
    static func serve(_ database: String, _ more: [String] = []) async throws -> (program: Program, client: APIClient) {
        let program = Program(path, ["server", "--port", "0", "--database", database, "--auth", "none"] + more)
        guard let line = await program.line(containing: " Serving "), let text = line.split(separator: "port=").last, let port = Int(text)
        else {
            throw NotServing(description: "\(path) does not serve \(database): \(await program.end())")
        }
        return (program, APIClient(port: port))
    }

    /// Runs a command to its end.
    static func run(_ arguments: [String]) async -> (errors: [String], output: String, code: Int32?) {
        await Program(path, arguments).end()
    }

    struct NotServing: Error, CustomStringConvertible {
        let description: String
    }
}
