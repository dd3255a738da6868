import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

/// A subnet from which floating IPs are given out (`floatingip-pools`).
public struct FloatingIPPool: Sendable, Hashable {
    public var networkID: ResourceID
    public var subnetID: ResourceID
    public var subnetName: String
    public var prefix: IPPrefix
    /// The project that asks.
    public var projectID: String

    private var members: [(name: String, text: String)] {
        [
            ("network_id", networkID.description), ("subnet_id", subnetID.description), ("subnet_name", subnetName),
            ("cidr", prefix.description), ("project_id", projectID), ("tenant_id", projectID),
        ]
    }

    /// The value of an attribute; nil for what is none.
    public func text(of attribute: String) -> String? { members.first { $0.name == attribute }?.text }

    /// Writes the pool as an object; `fields` empty means all.
    public func write(fields: Set<String>, to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, text) in members where fields.isEmpty || fields.contains(name) {
                writer.key(name)
                writer.string(text)
            }
        }
    }
}

extension Operations {
    /// `GET /floatingip_pools`: the IPv4 subnets that the caller sees of the external networks that it sees.
    public func floatingIPPools(caller: Caller) async throws -> [FloatingIPPool] {
        try await read(caller) { verb in
            let target = ProjectTarget(projectID: caller.projectID)
            guard try verb.policy["get_floatingip_pool"].holds(for: verb.caller, on: target) else { return [] }
            var query = ListQuery()
            query.filters = [.column("router_external", [.integer(1)])]
            let networks = try verb.list(Network.self, query)
            query.filters = [.column("network_id", networks.map(\.id.columnValue))]
            let subnets = Dictionary(uniqueKeysWithValues: try verb.list(Subnet.self, query).map { ($0.id, $0) })
            // In the order of the networks' rows, which is that of their creation.
            return networks.flatMap { network in
                network.subnetIDs.compactMap { subnets[$0] }.filter { $0.prefix.version == .v4 }.map {
                    FloatingIPPool(
                        networkID: network.id, subnetID: $0.id, subnetName: $0.name, prefix: $0.prefix, projectID: caller.projectID)
                }
            }
        }
    }
}
