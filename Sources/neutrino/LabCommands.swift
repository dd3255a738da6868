import APISchema
import ArgumentParser
import Lab

struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "A cloud network on this machine: hosts and instances are namespaces.",
        discussion: """
            A lab has hosts (h1, h2, …) with an agent each, a server, and a host outside of the cloud. Nothing of it touches the machine's own
            interfaces, and several labs can run at once (--name). It takes root.

              neutrino lab up --hosts 3
              eval "$(neutrino lab env)"
              openstack network create n && openstack subnet create --network n --subnet-range 10.0.0.0/24 s
              neutrino lab instance create vm1 --host h1 --network n
              neutrino lab instance create vm2 --host h2 --network n
              neutrino lab probe vm1 vm2 --seconds 5
              neutrino lab exec vm1 -- ip address
              neutrino lab fault h2 uplink
              neutrino lab heal h2
              neutrino lab down

            The physical network physnet1 connects the hosts with 'outside' (203.0.113.1): a flat external network on it, with the subnet
            203.0.113.0/24 and gateway 203.0.113.1, is the way out.
            """,
        subcommands: [
            LabUp.self, LabDown.self, LabStatus.self, LabEnvironment.self, LabInstance.self, LabExecute.self, LabFault.self, LabHeal.self,
            LabProbe.self, LabRelay.self, LabWire.self,
        ])
}

struct LabOptions: ParsableArguments {
    @Option(name: [.customLong("name"), .customLong("lab")], help: "The lab's name.")
    var name = "lab"

    func open() throws -> Lab { try Lab.open(name: name) }
}

struct LabUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start a lab.",
        discussion: "Prints how to point the openstack client at it. 'neutrino lab down' ends it.")

    @OptionGroup var lab: LabOptions
    @Option(help: "How many hosts: h1, h2, …") var hosts = 3
    @Option(help: "A new or empty directory for the lab's state and logs (default: /run/neutrino-labs/NAME).") var state: String?
    @Option(help: "Where the API listens on 127.0.0.1 (default: 9696 if that is free, else any free port).") var port: Int?
    @Option(
        parsing: .unconditionalSingleValue, help: "A word for the server's command line, such as --highly-available-routers; repeatable.")
    var serverArgument: [String] = []

    @Option(help: "How callers are authenticated: built-in, or none (everybody is an administrator).")
    var auth: AuthenticationName = .builtIn

    func validate() throws {
        guard auth != .keystone else { throw ValidationError("A lab has no Keystone: --auth is built-in or none.") }
    }

    func run() async throws {
        var configuration = Lab.Configuration(name: lab.name, hosts: hosts)
        configuration.authenticates = auth == .builtIn
        configuration.serverArguments = serverArgument
        configuration.stateDirectory = state
        configuration.apiPort = port ?? Lab.portIfFree(Underlay.controlPort)
        let lab = try await Lab.up(configuration)
        print("Lab \(lab.name) is up with \(hosts) hosts; its logs are in \(lab.stateDirectory).")
        print("For the openstack client:  eval \"$(neutrino lab env\(lab.name == "lab" ? "" : " --name \(lab.name)"))\"")
    }
}

struct LabDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "End a lab and remove everything of it, also what a killed run left behind.")

    @OptionGroup var lab: LabOptions
    @Flag(help: "End every lab of this machine.") var all = false

    func run() async throws {
        let names = all ? Lab.names() : [lab.name]
        for name in names {
            try await Lab.down(name: name)
            print("Lab \(name) is down.")
        }
        if names.isEmpty { print("There is no lab.") }
    }
}

struct LabStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the server, the hosts and the instances of a lab.")

    @OptionGroup var lab: LabOptions
    @Flag(help: "As JSON.") var json = false

    func run() async throws {
        let status = try lab.open().status
        print(json ? status.json.text : status.text, terminator: json ? "\n" : "")
    }
}

struct LabEnvironment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "env", abstract: "Print the environment for the openstack client: eval \"$(neutrino lab env)\".")

    @OptionGroup var lab: LabOptions

    func run() async throws {
        let lab = try lab.open()
        print("unset \(IdentityOpenRC.foreignVariables.joined(separator: " "))")
        for (name, value) in lab.clientEnvironment { print("export \(name)=\(value)") }
    }
}

struct LabInstance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instance", abstract: "Create and delete instances.", subcommands: [LabInstanceCreate.self, LabInstanceDelete.self])
}

struct LabInstanceCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a port through the API and an instance on it, configured by DHCP.",
        discussion: "Prints the instance's name, host, address, MAC and port.")

    @Argument(help: "The instance's name.") var instance: String
    @OptionGroup var lab: LabOptions
    @Option(help: "The host that runs it: h1, h2, …") var host: String
    @Option(help: "The network, by name or id.") var network: String
    @Option(help: "A security group, by name or id; repeatable (default: the project's default group).") var securityGroup: [String] = []
    @Flag(help: "Set the address that the API says, instead of running a DHCP client.") var withoutDhcp = false
    @OptionGroup var facts: InstanceFactsOptions

    func run() async throws {
        let created = try await lab.open().createInstance(
            instance, host: host, network: network, securityGroups: securityGroup.isEmpty ? nil : securityGroup,
            configuration: withoutDhcp ? .fixed : .dhcp, facts: facts.facts())
        print("\(created.name) \(created.host) \(created.address) \(created.mac) \(created.portID)")
    }
}

struct LabInstanceDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete an instance and its port.")

    @Argument(help: "The instance's name.") var instance: String
    @OptionGroup var lab: LabOptions

    func run() async throws { try await lab.open().deleteInstance(instance) }
}

struct LabExecute: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command in an instance, on a host, or outside.",
        discussion: """
            neutrino lab exec vm1 -- ping -c 3 10.0.0.1
            neutrino lab exec h1 -- ip netns
            neutrino lab exec outside               (a shell)
            """)

    @Argument(help: "An instance, a host, or 'outside'.") var place: String
    @OptionGroup var lab: LabOptions
    @Argument(parsing: .postTerminator, help: "After --: the command and its arguments (default: a shell).") var command: [String] = []

    func run() async throws { throw try lab.open().place(place).execute(command.isEmpty ? ["sh"] : command) }
}

struct LabProbe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Ping on an exact schedule and print what was lost, as JSON.",
        discussion: """
            Prints {"longest_gap_ms":…,"lost":…,"sent":…}: the longest time without any reply. The exit code is 1 when nothing was answered.
            Faults may happen meanwhile: run it in the background, or 'lab fault' in another terminal.
            """)

    @Argument(help: "Where pings start: an instance, a host, or 'outside'.") var from: String
    @Argument(help: "What is pinged: an instance, a host, 'outside', or an IPv4 address.") var to: String
    @Option(help: "The time between two pings.") var intervalMs = 10
    @Option(help: "For how long.") var seconds = 5.0
    @OptionGroup var lab: LabOptions

    func validate() throws {
        guard intervalMs >= 1, seconds > 0, seconds <= 86_400 else {
            throw ValidationError("--interval-ms is at least 1, --seconds above 0 and at most 86400.")
        }
    }

    func run() async throws {
        let lab = try lab.open()
        let report = try await lab.probe(
            from: lab.place(from), to: lab.address(of: to), intervalMilliseconds: intervalMs, seconds: seconds)
        print(report.json.text)
        if report.received == 0 { throw ExitCode.failure }
    }
}

/// Part of every running lab, not for people.
struct LabRelay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Carry connections from a lab's control network to its server.", shouldDisplay: false)

    @Option(help: "A process in the network namespace to listen in.") var networkOf: Int32
    @Option(help: "ADDRESS:PORT to listen on.") var listen: String
    @Option(help: "ADDRESS:PORT to connect to.") var to: String

    func run() async throws {
        try Relay.run(inNamespaceOfProcess: networkOf, listen: Self.parse(listen), destination: Self.parse(to))
    }

    private static func parse(_ text: String) throws -> (address: String, port: Int) {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]), (1...65_535).contains(port) else {
            throw ValidationError("'\(text)' is not ADDRESS:PORT.")
        }
        return (String(parts[0]), port)
    }
}
