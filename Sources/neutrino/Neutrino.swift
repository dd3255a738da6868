import ArgumentParser

@main
struct Neutrino: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neutrino",
        abstract: "OpenStack Networking in one executable.",
        discussion: """
            A cloud needs one server and an agent on each host:

              neutrino server --database /var/lib/neutrino/neutrino.db
              neutrino agent --server http://controller:9696 --agent-secret-file /etc/neutrino/agent-secret \\
                  --tunnel-address 10.0.0.1 --physical-network physnet1:eth1

            The server's first start makes the user admin and a secret for the agents, and prints where they are. Clients log in at the server \
            itself, as at Keystone, and speak the Networking API v2.0 to it:

              eval "$(neutrino identity openrc admin --database /var/lib/neutrino/neutrino.db)"
              openstack network list
            """,
        version: "0.1.0",
        subcommands: [
            ServerCommand.self, AgentCommand.self, IdentityCommand.self, PolicyCommand.self, DrainCommand.self, UndrainCommand.self,
            AttachCommand.self, DetachCommand.self, LabCommand.self, DemoCommand.self, BenchCommand.self,
        ])
}
