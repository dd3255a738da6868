import ArgumentParser
import Dispatch
import Glibc
import Lab

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show the whole of it on this machine: a cloud network whose router survives its host.",
        discussion: """
            Starts a lab with three hosts, builds networks, a highly available router and instances through the API, and shows each step
            with the time since the start: DHCP, pings over VXLAN, SNAT, a floating IP behind security groups, and what a failover costs.
            It takes root. The exit code is 0 only when every step was observed.
            """)

    @Flag(help: "Leave the lab running at the end, and print how to use it.") var keep = false
    @Option(help: "The name of the demonstration's lab.") var name = "demo"

    func run() async throws {
        let interruptions = [SIGINT, SIGTERM].map { cleanUp(on: $0) }
        defer { for interruption in interruptions { interruption.cancel() } }
        guard await Demonstration(name: name, keepsLab: keep).run() else { throw ExitCode.failure }
    }

    /// Ends the lab when the demonstration is interrupted, then exits as the signal would have made it.
    private func cleanUp(on number: Int32) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        let name = name
        source.setEventHandler {
            Task {
                print("interrupted: cleaning up")
                try? await Lab.down(name: name)
                Glibc.exit(128 + number)
            }
        }
        source.resume()
        return source
    }
}
