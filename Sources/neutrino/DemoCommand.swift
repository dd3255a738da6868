import ArgumentParser
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
        guard await Demonstration(name: name, keepsLab: keep).run() else { throw ExitCode.failure }
    }
}
