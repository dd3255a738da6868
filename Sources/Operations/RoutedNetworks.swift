import APISchema
import NetworkModel
import Store

// A network whose subnets belong to segments is routed: its segments are broadcast domains of their own, with routers between them. Which
// addresses a port can have there depends on its host.
//
//     made without a host ──▶ deferred, no addresses ──host──▶ addresses of the segment that the host reaches

/// The networks whose subnets belong to segments, read once in a transaction that asks for it.
final class RoutedNetworkCache {
    fileprivate var ids: Set<ResourceID>?
}

extension Verb {
    func isRouted(_ networkID: ResourceID) throws -> Bool {
        if let known = routedNetworks.ids { return known.contains(networkID) }
        // Compared with a text rather than with NULL, which an index of SQLite serves.
        let ids = Set(try transaction.rows("SELECT DISTINCT network_id FROM subnets WHERE segment_id > ''").compactMap { $0[0].id })
        routedNetworks.ids = ids
        return ids.contains(networkID)
    }

    /// Whether the addresses of a new port have to wait for its host. Those that the request names do not wait, nor what serves the whole network.
    func waitsForHost(_ port: Port, _ subnets: [Subnet], _ requests: [AddressRequest]?) -> Bool {
        requests == nil && port.hostID.isEmpty && !DeviceOwner.isNetworkOwned(port.deviceOwner) && !subnets.isEmpty
            && subnets.allSatisfy { $0.segmentID != nil }
    }

    /// The addresses of a port whose host has become known or another one.
    ///
    /// - Parameter isAsked: whether the same request names addresses.
    func settleAddresses(of port: inout Port, was current: Port, _ subnets: [Subnet], isAsked: Bool) throws {
        guard port.hostID != current.hostID, !port.hostID.isEmpty, !isAsked, subnets.contains(where: { $0.segmentID != nil }) else {
            return
        }
        if port.fixedIPs.isEmpty {
            guard port.addressAllocation == .deferred, current.hostID.isEmpty else { return }
            return try allocateAddresses(for: &port, in: subnets, nil)
        }
        let inReach = Set(try subnetsInReach(of: port, subnets).map(\.id))
        guard port.fixedIPs.allSatisfy({ inReach.contains($0.subnetID) }) else {
            throw APIError.conflict(
                "HostNotCompatibleWithFixedIps",
                "Host \(port.hostID) is not connected to a segment where the existing fixed_ips on port \(port.id) will function given the "
                    + "routed network topology.")
        }
    }

    /// Addresses that a port without a host asks for are on one segment, or no host could ever have them all.
    func checkSingleSegment(_ requests: [AddressRequest], of port: Port, in subnets: [Subnet]) throws(APIError) {
        guard port.hostID.isEmpty, !DeviceOwner.isNetworkOwned(port.deviceOwner) else { return }
        let asked = requests.compactMap { request in
            subnets.first { subnet in
                request.subnetID.map { $0 == subnet.id } ?? request.address.map { subnet.prefix.contains($0) } ?? false
            }
        }
        guard Set(asked.map(\.segmentID)).count > 1 else { return }
        throw .invalid("FixedIpsSubnetsNotOnSameSegment", "Cannot allocate addresses from different segments.")
    }

    // MARK: Routes between segments

    /// Gives each subnet of a routed network a route to those of other segments by its own gateway, and takes away those to subnets that are no
    /// more (`segments-peer-subnet-host-routes`): without them only hosts whose default route is that gateway would reach their peers.
    ///
    /// - Parameter former: prefixes and gateways as they were before the change, by subnet.
    func settlePeerRoutes(on network: Network, former: [ResourceID: Subnet] = [:]) throws {
        let all = try subnets(of: network)
        guard all.contains(where: { $0.segmentID != nil }) || former.values.contains(where: { $0.segmentID != nil }) else { return }
        let before = all.map { former[$0.id] ?? $0 } + former.values.filter { gone in !all.contains { $0.id == gone.id } }
        for var subnet in all {
            let old = former[subnet.id] ?? subnet
            let stale = Set(Self.peerRoutes(of: old, among: before))
            let wanted = Self.peerRoutes(of: subnet, among: all)
            var routes = subnet.hostRoutes.filter { !stale.contains($0) || wanted.contains($0) }
            routes += wanted.filter { !routes.contains($0) }
            guard routes != subnet.hostRoutes else { continue }
            subnet.hostRoutes = routes
            try save(&subnet)
        }
    }

    private static func peerRoutes(of subnet: Subnet, among all: [Subnet]) -> [StaticRoute] {
        guard let segmentID = subnet.segmentID, let gateway = subnet.gatewayAddress else { return [] }
        let peers = all.filter { $0.segmentID != nil && $0.segmentID != segmentID && $0.prefix.version == subnet.prefix.version }
        return peers.map { StaticRoute(destination: $0.prefix, nextHop: gateway) }
    }
}
