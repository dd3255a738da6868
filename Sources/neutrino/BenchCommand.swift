import ArgumentParser
import Dispatch
import Foundation
import Lab

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure the project's numbers on this machine, and print them beside what is wanted.",
        discussion: """
            Starts labs of its own, measures, and removes them, also when it is interrupted. It takes root, about ten minutes, and a machine that
            does little else meanwhile. Only a release build gives figures that mean something ('make bench').

            Parts: ports, list, memory, wire, rule, failover, restart. For example: neutrino bench --only wire,failover --runs 3

            The exit code is 0 when everything could be measured, whether or not the figures are as wanted.
            """)

    @Option(help: "The parts to measure, separated by commas (default: all).") var only: String?
    @Option(help: "How many times the master's host is cut off.") var runs = 10
    @Option(help: "Also write the figures, with every sample, to this file as JSON.") var json: String?
    @Option(help: "What the names of the labs begin with.") var name = "bench"

    func validate() throws {
        guard (1...1000).contains(runs) else { throw ValidationError("--runs is from 1 to 1000.") }
        _ = try parts()
    }

    private func parts() throws -> Set<Benchmark.Part> {
        guard let only else { return Set(Benchmark.Part.allCases) }
        let parts = try only.split(separator: ",").map { word in
            guard let part = Benchmark.Part(rawValue: String(word)) else {
                let known = Benchmark.Part.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(word)' is none of the parts: \(known).")
            }
            return part
        }
        return Set(parts)
    }

    func run() async throws {
        var benchmark = Benchmark(name: name)
        benchmark.parts = try parts()
        benchmark.failoverRuns = runs
        let signals = Self.cleanUpWhenInterrupted(benchmark)
        let report = await benchmark.run()
        signals.forEach { $0.cancel() }
        print(report.text, terminator: "")
        if let json { try (report.json.text + "\n").write(toFile: json, atomically: true, encoding: .utf8) }
        guard report.isComplete else { throw ExitCode.failure }
    }

    /// Ctrl-C ends the labs before it ends the process.
    private static func cleanUpWhenInterrupted(_ benchmark: Benchmark) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                Task {
                    await benchmark.cleanUp()
                    Foundation.exit(128 + number)
                }
            }
            source.resume()
            return source
        }
    }
}
