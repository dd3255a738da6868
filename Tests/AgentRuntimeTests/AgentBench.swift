import Addressing
import AgentRuntime
import Converters
import Election
import FakeKernel
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// An agent on a simulated host, connected to a server that the test plays.
struct AgentBench: Sendable {
    let kernel: FakeKernel
    let server: FeedServer
    let linkChanges: AsyncStream<Void>.Continuation
    let pipes: Pipes
    /// Begins a graceful shutdown, as SIGTERM does.
    let stop: @Sendable () async -> Void
    /// Waits until the agent has ended.
    let ended: @Sendable () async throws -> Void

    static func run(
        _ kernel: FakeKernel = FakeKernel(), election: ElectionSense? = nil, rulesetChanges: AsyncStream<NamespaceName?>? = nil,
        firewallCheckMilliseconds: Int = 3_600_000,
        watchNamespaces: @escaping @Sendable (Set<NamespaceName>) -> Void = { _ in },
        findConflicts: (@Sendable ([ExternalAddress]) async -> [ResourceID: String])? = nil,
        giveBackMemory: @escaping @Sendable () -> Void = {},
        _ body: @Sendable @escaping (AgentBench) async throws -> Void
    ) async throws {
        try await FeedServer.run { server, url in
            let (changes, linkChanges) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let pipes = Pipes()
            var senses = AgentSenses(
                linkChanges: changes, watchNamespaces: watchNamespaces, rulesetChanges: rulesetChanges, openPipe: pipes.open,
                hasEnded: { process in await hasEnded(process, kernel) },
                election: election, findConflicts: findConflicts)
            senses.giveBackMemory = giveBackMemory
            var logger = Logger(label: "agent")
            logger.logLevel = .critical
            let agent = Agent(
                configuration: AgentConfiguration(
                    hostID: "h1", serverURLs: [url], settings: settings, heartbeatSeconds: 1, fullCheckSeconds: 3600,
                    firewallCheckMilliseconds: firewallCheckMilliseconds),
                kernel: kernel, processes: kernel, senses: senses, logger: logger)
            let services = ServiceGroup(
                configuration: .init(
                    services: [.init(service: agent, successTerminationBehavior: .gracefullyShutdownGroup)], logger: logger))
            let running = Task { try await services.run() }
            let bench = AgentBench(
                kernel: kernel, server: server, linkChanges: linkChanges, pipes: pipes,
                stop: { await services.triggerGracefulShutdown() }, ended: { try await running.value })
            do { try await body(bench) } catch {
                running.cancel()
                throw error
            }
            running.cancel()
            _ = await running.result
        }
    }

    /// The kernel hosts no processes of which anybody could be told: asks until it is gone.
    private static func hasEnded(_ process: Int32, _ kernel: FakeKernel) async -> Bool {
        await poll(until: .now + .seconds(3600)) { kernel.process(id: process) == nil }
    }

    static let settings = AgentSettings(
        stateDirectory: "/state", tunnelAddress: IPAddress("192.0.2.1"), hasBridgeConntrack: true)

    /// Waits for a condition.
    func eventually(_ sentence: String, _ condition: () -> Bool) async throws {
        guard await poll(condition) else {
            Issue.record("never seen: \(sentence)\n\(kernel.rendered)\(kernel.renderedProcesses)\(server.reports)")
            throw CancellationError()
        }
    }

    func state(of port: ResourceID, _ component: HostStatus.Component) -> HostStatus.PortReport.State? {
        server.reports.flatMap(\.ports).last { $0.portID == port && $0.component == component }?.state
    }
}

/// The notify pipes that the agent listens to, written by the test.
final class Pipes: Sendable {
    private let lines = Mutex<[String: AsyncStream<String>.Continuation]>([:])

    func open(_ path: String) -> AgentSenses.PipeLines {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        lines.withLock { $0[path] = continuation }
        return AgentSenses.PipeLines(lines: stream, close: { continuation.finish() })
    }

    func isOpen(_ path: String) -> Bool { lines.withLock { $0[path] != nil } }
    func write(_ line: String, to path: String) { _ = lines.withLock { $0[path]?.yield(line) } }
}

// MARK: - What the server sends

func id(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96 | 0x4000_8000_0000_0000_0000) }
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? { preconditionFailure("'\(text)' is no address") }() }
func mac(_ number: Int) -> MACAddress { MACAddress(rawValue: 0xFA16_3E00_0000 | UInt64(number)) }
func interface(_ text: String) -> InterfaceAddress {
    InterfaceAddress(text) ?? { preconditionFailure("'\(text)' is no address with a prefix length") }()
}

func network(_ number: Int) -> FeedMessage {
    .put(.network(HostNetwork(id: id(number), carrier: .vxlan(vni: number), mtu: 1450)))
}

func bridge(_ number: Int) -> String { L2Names.bridge(id(number)) }

func port(_ number: Int, network: Int, revision: Int = 1) -> HostPort {
    HostPort(id: id(number), networkID: id(network), mac: mac(number), addresses: [ip("10.0.0.\(number)")], revision: revision)
}

func dhcp(network: Int, port: Int) -> FeedMessage {
    .put(
        .dhcp(
            HostDHCP(
                networkID: id(network), portID: id(port), portMAC: mac(port), portAddresses: [interface("10.0.0.2/24")], portRevision: 1,
                mtu: 1450,
                subnets: [.init(id: id(900), prefix: interface("10.0.0.2/24").prefix, gateway: nil)])))
}

/// An HA router with its port on the given HA network.
func router(_ number: Int, haNetwork: Int, haPort: Int, isUp: Bool = true) -> FeedMessage {
    let port = HostRouter.RouterPort(
        id: id(haPort), networkID: id(haNetwork), mac: mac(haPort), addresses: [interface("169.254.192.5/18")], mtu: 1450)
    return .put(.router(HostRouter(id: id(number), isAdminStateUp: isUp, redundancy: .init(virtualRouterID: 5, priority: 200, port: port))))
}
