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

    /// Writes the pool as an object; `fields` empty means all.
    public func write(fields: Set<String>, to writer: inout JSONWriter) {
        let members = [
            ("network_id", networkID.description), ("subnet_id", subnetID.description), ("subnet_name", subnetName),
            ("cidr", prefix.description), ("project_id", projectID), ("tenant_id", projectID),
        ]
        writer.object { writer in
            for (name, text) in members where fields.isEmpty || fields.contains(name) {
                writer.key(name)
                writer.string(text)
            }
        }
    }
}

extension Operations {
    /// `GET /floatingip_pools`: the IPv4 subnets of the external networks that the caller sees.
    public func floatingIPPools(caller: Caller) async throws -> [FloatingIPPool] {
        try await read(caller) { verb in
            var query = ListQuery()
            query.filters = [.column("router_external", [.integer(1)])]
            return try verb.list(Network.self, query).flatMap { network in
                try verb.subnets(of: network).filter { $0.prefix.version == .v4 }.map {
                    FloatingIPPool(
                        networkID: network.id, subnetID: $0.id, subnetName: $0.name, prefix: $0.prefix, projectID: caller.projectID)
                }
            }
        }
    }
}
