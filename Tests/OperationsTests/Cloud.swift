import APISchema
import AccessPolicy
import Addressing
import HostModel
import NetworkModel
import Operations
import Store
import Synchronization
import TestSupport

/// A server's operations on a new database, with a clock that tests move.
final class Cloud: Sendable {
    let operations: Operations
    let admin = Caller(projectID: "p1", isAdmin: true)

    init(_ backend: Backend = .sqlite, _ adjust: (inout ServerSettings) -> Void = { _ in }) throws {
        var settings = ServerSettings()
        adjust(&settings)
        let clock = Clock(seconds: 1_800_000_000)
        self.clock = clock
        operations = Operations(
            store: try backend.makeStore(), settings: settings, now: { clock.now }, random: { UInt64.random(in: .min ... .max) })
    }

    let clock: Clock

    final class Clock: Sendable {
        private let seconds: Mutex<Int>
        init(seconds: Int) { self.seconds = Mutex(seconds) }
        var now: Timestamp { Timestamp(secondsSince1970: seconds.withLock { $0 }) }
        func advance(seconds count: Int) { seconds.withLock { $0 += count } }
    }

    // MARK: Verbs in short

    func create<R: ManagedResource>(_ type: R.Type, _ body: [String: JSONValue], as caller: Caller? = nil) async throws -> R {
        try await operations.create(ResourceRequest<R>.create(body), caller: caller ?? admin)
    }

    func update<R: ManagedResource>(_ resource: R, _ body: [String: JSONValue], as caller: Caller? = nil) async throws -> R {
        try await operations.update(R.self, resource.id.description, ResourceRequest<R>.update(body), caller: caller ?? admin)
    }

    func delete<R: ManagedResource>(_ resource: R, as caller: Caller? = nil) async throws {
        try await operations.delete(R.self, resource.id.description, caller: caller ?? admin)
    }

    func show<R: ManagedResource>(_ resource: R) async throws -> R {
        try await operations.show(R.self, resource.id.description, caller: admin)
    }

    func list<R: ManagedResource>(_ type: R.Type, as caller: Caller? = nil) async throws -> [R] {
        try await operations.list(R.self, ListQuery(), caller: caller ?? admin)
    }

    func ports(ownedBy deviceOwner: String) async throws -> [Port] {
        try await list(Port.self).filter { $0.deviceOwner == deviceOwner }
    }

    // MARK: Things to have

    func network(_ body: [String: JSONValue] = [:]) async throws -> Network {
        try await create(Network.self, ["name": "n"].merging(body) { $1 })
    }

    func subnet(on network: Network, _ cidr: String = "10.0.0.0/24", _ body: [String: JSONValue] = [:]) async throws -> Subnet {
        let version: JSONValue = cidr.contains(":") ? 6 : 4
        return try await create(
            Subnet.self,
            ["network_id": .string(network.id.description), "cidr": .string(cidr), "ip_version": version].merging(body) { $1 })
    }

    func port(on network: Network, _ body: [String: JSONValue] = [:]) async throws -> Port {
        try await create(Port.self, ["network_id": .string(network.id.description)].merging(body) { $1 })
    }

    func externalNetwork() async throws -> (Network, Subnet) {
        let network = try await network([
            "name": "public", "router:external": true, "provider:network_type": "flat", "provider:physical_network": "physnet1",
        ])
        return (network, try await subnet(on: network, "203.0.113.0/24", ["enable_dhcp": false]))
    }

    func router(_ body: [String: JSONValue] = [:]) async throws -> Router { try await create(Router.self, body) }

    func attach(_ subnet: Subnet, to router: Router) async throws -> RouterInterface {
        try await operations.addRouterInterface(
            router.id.description, body: ["subnet_id": .string(subnet.id.description)], caller: admin)
    }

    /// A host that registers, or reports.
    func report(
        _ host: String, ports: [HostStatus.PortReport] = [], routers: [HostStatus.RouterReport] = [], startID: String = "1",
        zone: String? = nil, servesMetadata: Bool? = nil
    ) async throws {
        let number = host.utf8.last ?? 0
        let registration = HostStatus.Registration(
            startID: startID, tunnelAddress: IPAddress("192.0.2.\(number)"), physicalNetworks: ["physnet1": "eth1"],
            stateDirectory: "/var/lib/neutrino", availabilityZone: zone, servesMetadata: servesMetadata)
        try await operations.report(
            host: host, status: HostStatus(registration: registration, ports: ports, routers: routers))
    }

    func agent(_ type: AgentType, on host: String) async throws -> Agent {
        guard let agent = try await list(Agent.self).first(where: { $0.type == type && $0.hostID == host }) else {
            throw APIError.badRequest("\(host) has no \(type.rawValue)")
        }
        return agent
    }

    func enable(_ type: AgentType, on host: String, _ isEnabled: Bool) async throws {
        _ = try await update(try await agent(type, on: host), ["admin_state_up": .bool(isEnabled)])
    }

    /// Hosts of a router by falling priority.
    func hosts(of router: Router) async throws -> [String] {
        try await operations.agents(ofRouter: router.id.description, caller: admin).map(\.agent.hostID)
    }

    func states(of router: Router) async throws -> [String: HAState?] {
        let agents = try await operations.agents(ofRouter: router.id.description, caller: admin)
        return Dictionary(uniqueKeysWithValues: agents.map { ($0.agent.hostID, $0.state) })
    }

    func priorities(of router: Router) async throws -> [String: Int] {
        try await operations.store.read { transaction in
            let rows = try transaction.rows(
                "SELECT host_id, priority FROM router_members WHERE router_id = ?", [.text(router.id.description)])
            return rows.reduce(into: [:]) { result, row in
                if case .text(let host) = row[0], case .integer(let priority) = row[1] { result[host] = priority }
            }
        }
    }

    func acknowledge(_ port: Port, _ component: HostStatus.Component, from host: String, _ state: HostStatus.PortReport.State = .up)
        async throws
    {
        try await report(
            host,
            ports: [
                HostStatus.PortReport(portID: port.id, component: component, state: state, revision: port.standard.revisionNumber)
            ])
    }
}

extension Caller {
    /// An administrator with all roles, or a member with what the role implies.
    init(projectID: String, isAdmin: Bool) {
        let roles: Set<String> = isAdmin ? ["admin", "manager", "member", "reader", "service"] : ["member", "reader"]
        self.init(userID: "", projectID: projectID, isAdmin: isAdmin, roles: roles)
    }
}

/// The API error that the body throws; nil when it throws none.
func apiError<T>(_ body: () async throws -> T) async throws -> APIError? {
    do {
        _ = try await body()
        return nil
    } catch let error as APIError {
        return error
    }
}
