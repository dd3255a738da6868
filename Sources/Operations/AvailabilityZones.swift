import APISchema
import AccessPolicy
import NetworkModel
import Store

/// A part of the cloud that fails by itself, as `GET /v2.0/availability_zones` shows it.
public struct AvailabilityZone: Sendable, Hashable {
    public var name: String
    /// What is placed there: `router` or `network`.
    public var resource: String
    /// Whether one of its agents may be given work.
    public var isAvailable: Bool

    /// As clients see it.
    public var state: String { isAvailable ? "available" : "unavailable" }
}

extension Operations {
    /// `GET /availability_zones`, for everybody: the zones of the agents that route and that serve DHCP. By name, then by resource.
    public func availabilityZones(caller: Caller) async throws -> [AvailabilityZone] {
        try await read(caller) { verb in
            guard try verb.allows("get_availability_zone") else { return [] }
            var zones: [String: AvailabilityZone] = [:]
            for agent in try verb.transaction.list(Agent.self) {
                guard let name = agent.availabilityZone, let resource = agent.type.zoneResource else { continue }
                let key = "\(resource)/\(name)"
                zones[key, default: AvailabilityZone(name: name, resource: resource, isAvailable: false)].isAvailable =
                    agent.isAdminStateUp || zones[key]?.isAvailable == true
            }
            return zones.values.sorted { ($0.name, $0.resource) < ($1.name, $1.resource) }
        }
    }
}

extension Verb {
    /// Characters of the hints of one resource, written as a JSON list.
    private static let maximumHintsLength = 255
    /// Resources whose zones are asked for one by one; of more, all are read at once.
    private static let maximumSingleLookups = 20

    /// Refuses zones that no enabled agent of the type is in.
    func checkZones(_ hints: [String], for type: AgentType) throws {
        guard !hints.isEmpty else { return }
        var writer = JSONWriter()
        hints.write(to: &writer)
        guard writer.text.unicodeScalars.count <= Self.maximumHintsLength else {
            throw APIError.invalidInput("Too many availability_zone_hints specified")
        }
        var query = ListQuery()
        query.filters = [.column("agent_type", [type.columnValue]), .column("admin_state_up", [.integer(1)])]
        let known = Set(try transaction.list(Agent.self, query).compactMap(\.availabilityZone))
        if let unknown = hints.first(where: { !known.contains($0) }) { throw APIError.availabilityZoneNotFound(unknown) }
    }

    /// The zones of the agents that realise routers or networks, by their ids; sorted.
    ///
    /// - Parameter relation: the table and its column that names the resource.
    func zones(of ids: [ResourceID], in relation: (table: String, column: String)) throws -> [ResourceID: [String]] {
        let base =
            "SELECT DISTINCT m.\(relation.column), a.availability_zone FROM \(relation.table) m JOIN agents a ON a.id = m.agent_id"
        var rows: [[ColumnValue]] = []
        if ids.count <= Self.maximumSingleLookups {
            for id in ids { rows += try transaction.rows("\(base) WHERE m.\(relation.column) = ?", [id.columnValue]) }
        } else {
            rows = try transaction.rows(base)
        }
        var zones: [ResourceID: [String]] = [:]
        for row in rows {
            guard let id = row[0].id, let zone = row[1].text else { continue }
            zones[id, default: []].append(zone)
        }
        return zones.mapValues { $0.sorted() }
    }
}

extension Router {
    public static func withComputed(_ routers: [Router], in verb: Verb) throws -> [Router] {
        let zones = try verb.zones(of: routers.map(\.id), in: ("router_members", "router_id"))
        return try routers.map { router in
            var router = try shown(router, in: verb)
            router.availabilityZones = zones[router.id] ?? []
            return router
        }
    }
}

extension Network {
    public static func withComputed(_ networks: [Network], in verb: Verb) throws -> [Network] {
        let zones = try verb.zones(of: networks.map(\.id), in: ("dhcp_bindings", "network_id"))
        return try networks.map { network in
            var network = try shown(network, in: verb)
            network.availabilityZones = zones[network.id] ?? []
            return network
        }
    }
}
