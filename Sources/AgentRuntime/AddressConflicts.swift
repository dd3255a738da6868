import Addressing
import Converters
import Election
import HostModel
import NetworkModel

extension ExternalAddress {
    /// What a router answers for on its external networks where it forwards, sorted. IPv6 addresses too: the router itself does no duplicate
    /// address detection (`accept_dad` 0, keepalived's `-nodad`).
    static func all(of router: HostRouter) -> [ExternalAddress] {
        guard router.isAdminStateUp else { return [] }
        return router.gatewayPorts.filter(\.isAdminStateUp).flatMap { addresses(of: router, on: $0) }
    }

    private static func addresses(of router: HostRouter, on gateway: HostRouter.RouterPort) -> [ExternalAddress] {
        // What names no gateway is on the first.
        let key = gateway.id == router.gateway?.id ? nil : Optional(gateway.id)
        let floating = router.floatingIPs.filter { $0.gatewayID == key }.map(\.address)
        let forwarding = router.portForwardings.filter { $0.gatewayID == key }.map(\.externalAddress)
        let all = gateway.addresses.map(\.address) + floating + forwarding
        let bridge = L2Names.bridge(gateway.networkID)
        return Set(all).sorted().map { ExternalAddress(routerID: router.id, bridge: bridge, address: $0, mac: gateway.mac) }
    }
}

extension Agent {
    /// How often the other owners of this host's addresses are asked for. Most addresses are asked for more rarely.
    static let conflictCheckMilliseconds = 1000

    /// Makes a conflict of addresses a problem of its router, for as long as it lasts.
    func watchAddresses() async {
        guard let findConflicts = senses.findConflicts else { return }
        var known: [ResourceID: String] = [:]
        while !Task.isCancelled {
            let found = await findConflicts(currentExternalAddresses())
            for id in known.keys where found[id] == nil { setProblem(nil, ofRouter: id) }
            for (id, sentence) in found { setProblem(sentence, ofRouter: id) }
            known = found
            try? await Task.sleep(for: .milliseconds(Self.conflictCheckMilliseconds))
        }
    }

    /// Of the routers that forward here. A backup has the master's addresses only when it takes over.
    private func currentExternalAddresses() -> [ExternalAddress] {
        if let externalAddresses { return externalAddresses }
        let routers = view.routers.values.filter { $0.redundancy == nil || members[$0.id]?.state == .active }.sorted { $0.id < $1.id }
        let new = routers.flatMap(ExternalAddress.all)
        externalAddresses = new
        return new
    }
}
