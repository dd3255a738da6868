import APISchema
import Addressing
import ArgumentParser
import ControllerServer
import Foundation
import HostProjection
import KernelLinux
import Logging
import NetworkModel
import Operations
import ServiceLifecycle
import Store

struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Serve the Networking API and the feeds of the agents.",
        discussion: """
            State is kept in SQLite unless --database names a PostgreSQL: postgresql://user@host/database.

            Who may call (--auth): with built-in, the default, users log in at /identity/v3 as at Keystone; the first start makes the user admin \
            and prints where its password is ('neutrino identity openrc admin' gives what clients need). With none everybody is an \
            administrator, so the server listens on loopback unless --listen says otherwise.
            """)

    @Option(help: "The address to listen on (default: all of this machine with authentication, 127.0.0.1 without).")
    var listen: String?

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port: Int = 9696

    @Option(help: "A SQLite file, or postgresql://user@host/database.")
    var database: String = "neutrino.db"

    @Option(help: "Write the port to this file once the server listens.")
    var portFile: String?

    @Flag(help: "Routers are highly available unless a request says otherwise.")
    var highlyAvailableRouters = false

    @Option(help: "How many members a highly available router has at most; 0: one on every host.")
    var maximumMembers: Int = 3

    @Option(help: "How many agents serve DHCP for one network.")
    var dhcpAgentsPerNetwork: Int = 1

    @Option(help: "Seconds of silence after which an agent counts as dead.")
    var agentDownSeconds: Int = 75

    @Option(help: "The VNIs that networks get: FIRST-LAST.")
    var vniRange: String = "1-65535"

    @Option(
        help: ArgumentHelp(
            "Seconds after which a member of a highly available router whose agent is dead, or that fails, is replaced on another host; 0: never.",
            discussion: "Long enough for a host to restart. A host that returns later is a candidate for new routers, and takes none back.",
            valueName: "seconds"))
    var replaceLostMembersAfter: Int = 600

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Standalone routers move to another host when their agent is dead (see --agent-down-seconds).",
            discussion: """
                Turn it off where hosts may lose the server and keep their other networks: a router that moves meanwhile is on both hosts until the \
                old one hears of it. Nothing moves while two thirds of the agents are silent, nor just after the server's start.
                """))
    var moveRoutersFromDeadAgents = true

    @Option(
        help: "A zone for routers and networks that ask for none. May be given several times; without it they are spread over all.")
    var defaultAvailabilityZone: [String] = []

    @Option(
        help: ArgumentHelp(
            "How many of something a project may have that has no quota of its own: router=100; -1: any number. May be given several times.",
            discussion: "'openstack quota show --default' tells all of them; 'openstack quota set' gives a project its own.",
            valueName: "resource=limit"))
    var defaultQuota: [String] = []

    @Option(
        help: ArgumentHelp(
            "How many connections may be open at once; further clients wait until one ends.",
            discussion: "An agent holds two. Fewer where the limit of open files (ulimit -Hn) is lower."))
    var maximumConnections: Int = ServerConfiguration.defaultMaximumConnections

    @Option(
        help: ArgumentHelp(
            "A proxy, or a network of proxies, whose X-Forwarded-For tells where logins come from. May be given several times.",
            discussion: """
                The last address in it that is no such proxy's counts for the limits of failed logins. Without, all clients of a proxy have its address. \
                Name only proxies that append to the field: others' is what the client says.
                """, valueName: "cidr"))
    var trustedProxy: [String] = []

    @OptionGroup(title: "Who may call") var authentication: AuthenticationOptions

    @Option(
        help: ArgumentHelp(
            "A file with rules of who may do what that take the place of Neutron's: policy.yaml, or JSON.",
            discussion: "A change counts within a second; a file that cannot be used changes nothing. See 'neutrino policy --help'."))
    var policyFile: String?

    @Option(help: "The longest page of a list, also for clients that ask for none; 0: any length.")
    var paginationMaxLimit: Int = 0

    @Option(
        help: ArgumentHelp(
            "An origin whose pages may use the API from a browser, such as https://dashboard.example.org; * is any. May be given several times.",
            valueName: "origin"))
    var allowedOrigin: [String] = []

    @OptionGroup(title: "Highly available routers") var vrrp: VRRPOptions

    @OptionGroup(title: "Nova") var nova: NovaOptions

    @OptionGroup var log: LogOptions

    func run() async throws {
        let logger = try log.logger("server")
        let portFile = portFile
        let configuration = try configuration()
        let listen = configuration.address
        let server: NetworkingServer
        do {
            server = try await NetworkingServer(
                configuration: configuration, logger: logger,
                now: { Timestamp(secondsSince1970: Int(Date().timeIntervalSince1970)) },
                onReady: { port in
                    logger.notice("Serving", metadata: ["address": "\(listen)", "port": "\(port)"])
                    if let portFile { Self.write(port, to: portFile, logger) }
                })
        } catch let error as StoreError {
            // libpq explains itself in several lines.
            let sentence = error.description.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            guard case .unavailable = error else { throw CleanExit.failure(sentence) }
            throw CleanExit.failure("\(sentence) Start it, or name another with --database.")
        } catch let error as ServerStartError {
            throw CleanExit.failure(error.description)
        } catch let error as PolicyFileError {
            throw CleanExit.failure(error.description)
        }
        var services = ServiceGroupConfiguration(
            services: [.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        services.maximumGracefulShutdownDuration = .seconds(Self.drainSeconds)
        let group = ServiceGroup(configuration: services)
        do {
            try await group.run()
        } catch is CancellationError {
            logger.notice("Stopped, though some clients had not finished their requests")
        } catch {
            throw CleanExit.failure(Self.sentence(error, listen, port))
        }
    }

    /// How long requests at work may take to end once the server is asked to stop.
    private static let drainSeconds: Int64 = 5

    private func configuration() throws -> ServerConfiguration {
        guard (0...65535).contains(port) else { throw ValidationError("\(port) is no port: give 1 to 65535, or 0 for a free one.") }
        guard let location = StoreLocation(database) else {
            throw ValidationError("'\(database)' names no database: give a file, or postgresql://user@host/database.")
        }
        let vnis = vniRange.split(separator: "-").compactMap { Int($0) }
        guard vnis.count == 2, vnis[0] >= 1, vnis[0] <= vnis[1], vnis[1] <= 16_777_215 else {
            throw ValidationError("'\(vniRange)' is no range of VNIs: give FIRST-LAST within 1-16777215.")
        }
        try checkNumbers()
        var settings = ServerSettings()
        settings.vxlanRange = vnis[0]...vnis[1]
        settings.areRoutersHighlyAvailable = highlyAvailableRouters
        settings.maximumL3AgentsPerRouter = maximumMembers
        settings.dhcpAgentsPerNetwork = dhcpAgentsPerNetwork
        settings.agentDownSeconds = agentDownSeconds
        settings.replaceLostMembersAfterSeconds = replaceLostMembersAfter
        settings.movesRoutersFromDeadAgents = moveRoutersFromDeadAgents
        settings.defaultAvailabilityZones = defaultAvailabilityZone
        settings.maximumPageLength = paginationMaxLimit > 0 ? paginationMaxLimit : nil
        for quota in defaultQuota where !settings.setDefaultQuota(quota) {
            let resources = settings.defaultQuotas.keys.sorted().joined(separator: ", ")
            throw ValidationError("'\(quota)' is no quota: give RESOURCE=LIMIT, with -1 for no limit. Resources: \(resources).")
        }
        var configuration = ServerConfiguration(
            address: authentication.listenAddress(listen), port: port, database: location, operations: settings,
            projection: try vrrp.settings(), nova: try nova.settings())
        configuration.policyFile = policyFile
        // The database, the files that are watched and the log have some of the descriptors too.
        configuration.maximumConnections = min(maximumConnections, max(Int(clamping: OpenFiles.allowMost()) - Self.otherDescriptors, 1))
        configuration.trustedProxies = TrustedProxies(
            try trustedProxy.map { text in
                guard let prefix = IPPrefix(text) else {
                    throw ValidationError("'\(text)' is no address and no network: give --trusted-proxy 192.0.2.1 or 192.0.2.0/24.")
                }
                return prefix
            })
        configuration.crossOrigin = CrossOriginRules(allowedOrigins: Set(allowedOrigin))
        try authentication.apply(to: &configuration)
        return configuration
    }

    /// Descriptors that are left for what is not a client's connection.
    private static let otherDescriptors = 256

    /// Numbers beyond these would overflow where they are calculated with, and mean nothing.
    private func checkNumbers() throws {
        let seconds = 0...Int(Int32.max)
        guard (1...1_000_000).contains(maximumConnections) else { throw ValidationError("--maximum-connections is 1 to 1000000.") }
        guard seconds.contains(replaceLostMembersAfter) else {
            throw ValidationError("--replace-lost-members-after is a number of seconds, at most \(seconds.upperBound), or 0.")
        }
        guard (1...seconds.upperBound).contains(agentDownSeconds) else {
            throw ValidationError("--agent-down-seconds is 1 to \(seconds.upperBound).")
        }
        guard (0...10_000).contains(maximumMembers) else { throw ValidationError("--maximum-members is 0 to 10000.") }
        guard (1...10_000).contains(dhcpAgentsPerNetwork) else { throw ValidationError("--dhcp-agents-per-network is 1 to 10000.") }
        guard seconds.contains(paginationMaxLimit) else {
            throw ValidationError("--pagination-max-limit is at least 0 and at most \(seconds.upperBound).")
        }
    }

    private static func write(_ port: Int, to path: String, _ logger: Logger) {
        do {
            try "\(port)\n".write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            logger.error(
                "The port cannot be written to the file that --port-file names", metadata: ["path": "\(path)", "error": "\(error)"])
        }
    }

    private static func sentence(_ error: any Error, _ address: String, _ port: Int) -> String {
        let text = "\(error)"
        func mentions(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        if mentions("EADDRINUSE", "Address already in use") {
            return "Another program listens on \(address):\(port): stop it, or choose another port with --port."
        }
        if mentions("EADDRNOTAVAIL", "Cannot assign requested address", "SocketAddressError", "NIOConnectionError") {
            return "This machine has no address \(address): name one that it has with --listen."
        }
        if mentions("EACCES", "Permission denied") {
            return "This user may not listen on port \(port): choose one above 1023 with --port."
        }
        return "The server stopped: \(text)."
    }
}

extension CleanExit {
    /// One sentence on standard error and exit code 1, without a usage text.
    static func failure(_ sentence: String) -> any Error {
        FileHandle.standardError.write(Data("neutrino: \(sentence)\n".utf8))
        return ExitCode(1)
    }
}
