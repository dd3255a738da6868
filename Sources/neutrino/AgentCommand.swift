import Addressing
import AgentRuntime
import ArgumentParser
import ControllerServer
import Converters
import Drivers
import Election
import ElectionService
import Foundation
import KernelInterface
import KernelLinux
import Logging
import Metadata
import MetadataService
import NetworkModel
import ServiceLifecycle
import ServiceProcesses

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Make the networks of this host real, as the server says.",
        discussion: """
            Needs root. The agent makes bridges (brq…), tunnels (vxlan-…), namespaces (qdhcp-…, qrouter-…) and their daemons, and leaves everything \
            else alone. Stopping it leaves all of them as they are.
            """)

    @Option(help: "The name of this host, as in binding:host_id.")
    var host: String = ProcessInfo.processInfo.hostName

    @Option(help: "The server's address, such as http://10.0.0.1:9696. Several are tried in turn.")
    var server: [String]

    @Option(help: "The address of this host that tunnels to other hosts start from.")
    var tunnelAddress: String?

    @Option(help: "NAME:INTERFACE: the interface by which this host reaches a physical network. May be given several times.")
    var physicalNetwork: [String] = []

    @Option(help: "Where configurations, leases and states of daemons are kept.")
    var stateDirectory: String = "/var/lib/neutrino"

    @Option(help: "Seconds between signs of life to the server.")
    var heartbeat: Int = 10

    @Option(help: "The availability zone of this host. Members of a highly available router are spread over the zones.")
    var availabilityZone: String = "nova"

    @Option(
        help: ArgumentHelp(
            "A file whose first line is the secret that agents share with the server.",
            discussion:
                "Copy the server's (it prints the path at its start), readable by the agent's user only. None: the server asks for none.",
            valueName: "path"))
    var agentSecretFile: String?

    @Option(parsing: .unconditional, help: "Seconds that addresses are leased for by DHCP, at least 120; -1: for ever.")
    var dhcpLeaseDuration: Int = 86400

    @Flag(
        name: .customLong("log-dhcp"),
        help:
            "Let dnsmasq write what it is asked and what it answers to dhcp/NETWORK/log in the state directory. Beyond 16 MiB that becomes log.1."
    )
    var logDHCP = false

    @Option(
        help: ArgumentHelp(
            "How many per cent of the host's tracked connections an instance may hold while three quarters of them are taken; 0: any number.",
            discussion:
                "An instance that holds more begins no new ones until there is room again, so that it does not take them from all others."))
    var connectionShare: Int = AgentConfiguration.defaultConnectionSharePercent

    @Option(help: "How many connections this host can track (default: net.netfilter.nf_conntrack_max).")
    var connectionCapacity: Int?

    @OptionGroup var metadata: MetadataOptions
    @OptionGroup var log: LogOptions

    func run() async throws {
        var configuration = try agentConfiguration()
        let logger = try log.logger("agent")
        configuration.settings.servesMetadata = metadata.isEnabled(logger)
        OpenFiles.allowMost()
        HeapMemory.giveBackEarly()
        let problems = KernelRequirements.check()
        guard problems.isEmpty else { throw CleanExit.failure(problems.joined(separator: "\nneutrino: ")) }
        guard let connectionState = BridgeConntrack.detect() else { throw CleanExit.failure(BridgeConntrack.advice) }
        configuration.settings.hasBridgeConntrack = connectionState == .native
        configuration.settings.hasVLANDevices = VLANDevices.detect()
        configuration.settings.trackingHelpers = TrackingHelpers.detect()
        configuration.settings.memorySettings = FragmentReassembly.settings().merging(NeighbourMemory.settings()) { $1 }
        do {
            try FileManager.default.createDirectory(atPath: stateDirectory, withIntermediateDirectories: true)
        } catch {
            throw CleanExit.failure("The state directory \(stateDirectory) cannot be made: \(error.localizedDescription)")
        }
        let lock = try await AgentLock.take(stateDirectory, logger)
        defer { withExtendedLifetime(lock) {} }
        let metadataConfiguration = try metadata.configuration(stateDirectory: stateDirectory)
        let events = try KernelEvents()
        defer { events.close() }
        let instances = InstanceDirectory()
        let agent = Agent(
            configuration: configuration, kernel: LinuxKernel(), processes: LinuxProcessHost(), senses: try senses(events),
            instances: instances, logger: logger)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: agent, successTerminationBehavior: .gracefullyShutdownGroup)
        ]
        if configuration.settings.servesMetadata {
            services.insert(
                .init(service: MetadataService(configuration: metadataConfiguration, directory: instances, logger: logger)), at: 0)
        }
        logger.notice(
            "The agent starts",
            metadata: [
                "host": "\(host)", "servers": "\(server.joined(separator: ","))",
                "connection state": connectionState == .native ? "bridge conntrack" : "marks set through br_netfilter",
                "VLAN networks": configuration.settings.hasVLANDevices ? "802.1Q sub-interfaces" : "none: the kernel has no 802.1Q",
            ])
        let group = ServiceGroup(
            configuration: .init(
                services: services,
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    private func agentConfiguration() throws -> AgentConfiguration {
        guard (1...255).contains(availabilityZone.utf8.count) else { throw ValidationError("--availability-zone has 1 to 255 bytes.") }
        guard dhcpLeaseDuration == DnsmasqConfiguration.infiniteLeaseSeconds || (120...0x7FFF_FFFF).contains(dhcpLeaseDuration) else {
            throw ValidationError("--dhcp-lease-duration is -1 (for ever), or at least 120 seconds: dnsmasq gives no shorter leases.")
        }
        guard (0...100).contains(connectionShare) else { throw ValidationError("--connection-share is 0 to 100 per cent.") }
        // The kernel counts connections in 32 bits.
        guard connectionCapacity.map((1...Int(UInt32.max)).contains) ?? true else {
            throw ValidationError("--connection-capacity is 1 to \(UInt32.max).")
        }
        guard (1...86_400).contains(heartbeat) else { throw ValidationError("--heartbeat is 1 to 86400 seconds.") }
        guard !server.isEmpty else { throw ValidationError("Name the server: --server http://ADDRESS:9696") }
        for address in server where URL(string: address)?.scheme == nil {
            throw ValidationError("'\(address)' is no address of a server: write http://ADDRESS:9696.")
        }
        var tunnel: IPAddress?
        if let tunnelAddress {
            guard let address = IPAddress(tunnelAddress) else { throw ValidationError("'\(tunnelAddress)' is no IP address.") }
            tunnel = address
        }
        var networks: [String: String] = [:]
        for mapping in physicalNetwork {
            let parts = mapping.split(separator: ":").map(String.init)
            guard parts.count == 2, (1...15).contains(parts[1].utf8.count) else {
                throw ValidationError("'\(mapping)' maps no physical network: write NAME:INTERFACE.")
            }
            networks[parts[0]] = parts[1]
        }
        guard stateDirectory.hasPrefix("/") else { throw ValidationError("--state-directory must be absolute: daemons start elsewhere.") }
        return AgentConfiguration(
            hostID: host, serverURLs: server,
            settings: AgentSettings(
                stateDirectory: stateDirectory, tunnelAddress: tunnel, physicalNetworks: networks, leaseSeconds: dhcpLeaseDuration,
                logsDHCP: logDHCP),
            heartbeatSeconds: heartbeat, availabilityZone: availabilityZone, connectionSharePercent: connectionShare,
            connectionCapacity: connectionCapacity, secret: try secret())
    }

    private func secret() throws -> String? {
        do throws(ServerStartError) { return try agentSecretFile.map(AgentSecretFile.read) } catch {
            throw CleanExit.failure(error.description)
        }
    }

    /// The kernel's events and keepalived's pipes, as the agent hears them.
    private func senses(_ events: KernelEvents) throws -> AgentSenses {
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (losses, lossesContinuation) = AsyncStream.makeStream(of: LostEntry.self, bufferingPolicy: .bufferingOldest(4096))
        Task {
            for await event in events.links {
                if Self.isOfInterest(event) { continuation.yield() }
                // What does not fit is found by the resync.
                if let loss = Self.loss(event) { lossesContinuation.yield(loss) }
            }
            continuation.finish()
            lossesContinuation.finish()
        }
        let namespaces = events.namespaces
        let urgent = RealtimeQueue(name: "agent.urgent")
        var senses = AgentSenses(
            linkChanges: changes, namespaceChanges: events.namespaceChanges, watchNamespaces: { namespaces.watch($0) }, entryLosses: losses,
            rulesetChanges: events.rulesetChanges, rulesetHistory: namespaces, connections: try LinuxConnectionTracker(),
            openPipe: Self.open,
            hasEnded: LinuxProcessHost.hasEnded, election: try election(),
            findConflicts: try findConflicts(), urgently: { urgent.perform($0) })
        senses.giveBackMemory = { HeapMemory.giveBackNow() }
        return senses
    }

    /// Without a tunnel endpoint nothing tells the bridges of this host from those of others: they do not ask.
    private func findConflicts() throws -> (@Sendable ([ExternalAddress]) async -> [ResourceID: String])? {
        guard tunnelAddress != nil else { return nil }
        let addressGuard = try AddressGuard()
        return { await addressGuard.conflicts(of: $0) }
    }

    /// Pulses go from tunnel endpoint to tunnel endpoint: without one VRRP alone decides.
    private func election() throws -> ElectionSense? {
        guard let tunnelAddress, let address = IPAddress(tunnelAddress) else { return nil }
        let thread: ElectionThread
        do throws(KernelError) {
            thread = try ElectionThread(tunnelAddress: address, startID: .random(in: 1 ... .max))
        } catch {
            throw CleanExit.failure("This host cannot watch others: \(error.description). Is \(address) an address of it?")
        }
        return ElectionSense(
            news: thread.news, update: { thread.update($0) }, note: { thread.note($0, $1) }, watch: { thread.watch($0) },
            isStripDue: { thread.isStripDue($0) }, isAnnouncementDue: { thread.isAnnouncementDue($0) },
            setErrandRunner: { thread.setErrandRunner($0) }, noteDone: { thread.note(done: $0) }, stop: { thread.stop() })
    }

    /// Of lines that nobody took the newest are kept: they tell the state.
    private static func open(pipeAt path: String) throws -> AgentSenses.PipeLines {
        let pipe = try NotifyPipe(path: path)
        let (lines, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(64))
        Task {
            for await line in pipe { continuation.yield(line) }
            continuation.finish()
        }
        return AgentSenses.PipeLines(lines: lines, close: { pipe.close() })
    }

    /// Addresses of the host itself are none of the agent's business.
    private static func isOfInterest(_ event: NetworkEvent) -> Bool {
        switch event {
        case .linkChanged, .linkRemoved, .resync: true
        case .addressAdded, .addressRemoved, .forwardingRemoved, .neighbourRemoved, .tunnelSet, .neighbourSet: false
        }
    }

    private static func loss(_ event: NetworkEvent) -> LostEntry? {
        switch event {
        case .forwardingRemoved(let entry): .forwarding(entry)
        case .neighbourRemoved(let link, let address): .neighbour(link: link, address: address)
        case .tunnelSet(let entry): .forwardingTo(entry)
        case .neighbourSet(let neighbour): .neighbourTo(neighbour)
        case .resync: .unknown
        case .linkChanged, .linkRemoved, .addressAdded, .addressRemoved: nil
        }
    }
}

/// What the kernel tells of by itself: changes in the host's own namespace, and in those that the agent watches.
private struct KernelEvents {
    /// Of more namespaces than these the resync finds the rest.
    private static let maximumPending = 4096

    let links: NetworkEvents
    let namespaces: NamespaceEvents
    let namespaceChanges: AsyncStream<NamespaceName>
    /// Nil of the host's own.
    let rulesetChanges: AsyncStream<NamespaceName?>

    init() throws {
        let (names, namesContinuation) = AsyncStream.makeStream(
            of: NamespaceName.self, bufferingPolicy: .bufferingNewest(Self.maximumPending))
        let (changes, changesContinuation) = AsyncStream.makeStream(
            of: NamespaceName?.self, bufferingPolicy: .bufferingNewest(Self.maximumPending))
        links = try NetworkEvents(namespace: nil)
        namespaces = try NamespaceEvents(onChange: { namesContinuation.yield($0) }, onRulesetChange: { changesContinuation.yield($0) })
        namespaceChanges = names
        rulesetChanges = changes
    }

    func close() {
        links.close()
        namespaces.close()
    }
}
