import ArgumentParser
import Dispatch
import Foundation
import Lab

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure the project's numbers on this machine, and print them beside what is wanted.",
        discussion: """
            Starts labs of its own, measures, and removes them, also when it is interrupted. It takes root, and a machine that does little else
            meanwhile. Only a release build gives figures that mean something ('make bench').

            Parts that are measured when none is named, in some fifteen minutes:
              ports list memory wire rule   the API and the wiring of ports
              instances                     1,000 ports on one host
              tenant move                   traffic between hosts, and ports that move
              floating                      a floating IP: from the API's answer to its effect
              uplink                        the master's host is cut off, and returns
              restart                       an agent with 20 routers restarts

            Of the server alone:
              api                           its memory over a million requests

            More about HA routers, each with --runs events under pings and TCP connections (half a minute each):
              power keepalived              the master's host loses its power; its keepalived is killed
              drain agent server reload     planned work: nothing may be lost
              partition                     the HA network is cut, and heals
              unattended                    power, uplinks and keepalived while no agent and no server runs (--unattended-runs)

            About --routers HA routers on three hosts (half an hour together):
              footprint idle saturation sync fleet

            'routers' stands for all parts about routers, 'all' for all. For example: neutrino bench --only power,drain --runs 3

            The exit code is 0 when everything could be measured, whether or not the figures are as wanted.
            """)

    @Option(help: "The parts to measure, separated by commas.") var only: String?
    @Option(help: "How many times each event happens.") var runs = 20
    @Option(help: "How many times each event happens in the part 'unattended'.") var unattendedRuns = 5
    @Option(help: "How many HA routers the parts about many have.") var routers = 200
    @Flag(inversion: .prefixedNo, help: "Whether the members of these routers replicate connections.") var replicateConnections = true
    @Option(help: "For how long the processors are kept busy in the part 'saturation'.") var saturationSeconds = 60
    @Option(help: "Also write the figures, with every sample, to this file as JSON.") var json: String?
    @Option(help: "What the names of the labs begin with.") var name = "bench"

    func validate() throws {
        guard (1...1000).contains(runs), (1...1000).contains(unattendedRuns) else {
            throw ValidationError("--runs and --unattended-runs are from 1 to 1000.")
        }
        guard (1...1000).contains(routers) else { throw ValidationError("--routers is from 1 to 1000.") }
        guard (1...86_400).contains(saturationSeconds) else { throw ValidationError("--saturation-seconds is from 1 to 86400.") }
        _ = try parts()
    }

    private func parts() throws -> Set<Benchmark.Part> {
        guard let only else { return Benchmark.Part.usual }
        return try only.split(separator: ",").reduce(into: []) { parts, word in
            switch word {
            case "all": parts.formUnion(Benchmark.Part.allCases)
            case "routers": parts.formUnion(Benchmark.Part.ofRouters)
            default:
                guard let part = Benchmark.Part(rawValue: String(word)) else {
                    let known = Benchmark.Part.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("'\(word)' is none of the parts: \(known), routers, all.")
                }
                parts.insert(part)
            }
        }
    }

    func run() async throws {
        var benchmark = Benchmark(name: name)
        benchmark.parts = try parts()
        benchmark.runs = runs
        benchmark.unattendedRuns = unattendedRuns
        benchmark.fleetRouters = routers
        benchmark.saturationSeconds = saturationSeconds
        benchmark.replicatesConnections = replicateConnections
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
