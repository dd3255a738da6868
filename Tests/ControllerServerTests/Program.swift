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

    private let process: Process
    private let events: AsyncStream<Event>
    private let output = Mutex(Data())

    /// - Parameter environment: added to that of the test process.
    init(_ path: String, _ arguments: [String], environment: [String: String] = [:]) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["setpriv", "--pdeathsig", "KILL", path] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let (outputPipe, errorPipe) = (Pipe(), Pipe())
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        self.process = process
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        let reads = DispatchGroup()
        Self.onThread(reads) {
            let data = outputPipe.fileHandleForReading.readDataToEndOfFile()
            self.output.withLock { $0 = data }
        }
        let started = DispatchSemaphore(value: 0)
        // The kernel signals the program when the thread that made it ends, so the thread lives as long as it.
        Thread.detachNewThread {
            do {
                try process.run()
            } catch {
                continuation.yield(.line("\(error)"))
            }
            started.signal()
            Self.readLines(errorPipe.fileHandleForReading) { continuation.yield(.line($0)) }
            if process.processIdentifier != 0 { process.waitUntilExit() }
            reads.wait()
            let hasExited = process.processIdentifier != 0 && process.terminationReason == .exit
            continuation.yield(.ended(hasExited ? process.terminationStatus : nil))
            continuation.finish()
        }
        started.wait()
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

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

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
        return (errors, output.withLock { String(decoding: $0, as: UTF8.self) }, code)
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

    struct NotServing: Error, CustomStringConvertible {
        let description: String
    }
}
