import AgentRuntime
import ArgumentParser
import ControllerServer

@main
struct Neutrino: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neutrino", abstract: "OpenStack Networking in one executable.", subcommands: [LabCommand.self, DemoCommand.self])
}
