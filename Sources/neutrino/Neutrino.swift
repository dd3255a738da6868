import ArgumentParser

@main
struct Neutrino: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neutrino",
        abstract: "OpenStack Networking in one executable.",
        discussion: """
            A cloud needs one server and an agent on each host:

              neutrino server --database /var/lib/neutrino/neutrino.db
              neutrino agent --server http://controller:9696 --tunnel-address 10.0.0.1 --physical-network physnet1:eth1

            Clients speak the Networking API v2.0 to the server: OS_AUTH_TYPE=none OS_ENDPOINT=http://controller:9696 openstack network list
            """,
        version: "0.1.0",
        subcommands: [
            ServerCommand.self, AgentCommand.self, DrainCommand.self, UndrainCommand.self, LabCommand.self, DemoCommand.self,
            BenchCommand.self,
        ])
}
