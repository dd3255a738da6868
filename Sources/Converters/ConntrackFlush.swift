import Addressing
import HostModel
import NetworkModel

/// Connections that must not outlive a change of a router. Translation is decided by a connection's first packet: without this, whoever
/// is connected through a floating IP stays so after the address was taken away or given to another instance.
///
/// The agent runs ``commands`` in the router's namespace after the new translation is loaded, on every member of an HA router. That
/// `conntrack` finds nothing to delete (exit status 1) is no failure.
public struct ConntrackFlush: Hashable, Sendable {
    /// Addresses of the router, sorted: floating IPs and gateway addresses that no longer translate as they did.
    public var addresses: [IPAddress]
    /// Port forwardings were removed or lead elsewhere, or a network is in another address scope: ``StaleConnections`` finds theirs, since `conntrack`
    /// takes no ranges of ports, and knows no scopes.
    public var changesForwardings: Bool
    /// A network is in another address scope: connections may be stale that are not translated.
    public var changesScopes: Bool

    public init(from old: HostRouter, to new: HostRouter) {
        let before = Self.translations(of: old)
        let after = Self.translations(of: new)
        changesScopes =
            Self.scopes(of: old, besides: new) || Self.routedInterfaces(of: old) != Self.routedInterfaces(of: new)
        changesForwardings = changesScopes || !Self.forwardings(of: old).isSubset(of: Self.forwardings(of: new))
        addresses = before.filter { after[$0.key] != $0.value }.keys.sorted()
    }

    /// Words of `conntrack(8)` commands: for each address the connections to it, and those that it is the translated source of.
    public var commands: [[String]] {
        addresses.flatMap { address in
            [["conntrack", "-D", "-d", "\(address)"], ["conntrack", "-D", "-q", "\(address)"]]
        }
    }

    /// Whether an interface that both have is in another scope in the new one.
    private static func scopes(of old: HostRouter, besides new: HostRouter) -> Bool {
        let scopes = Dictionary(new.interfaces.map { ($0.id, $0.scope4) }, uniquingKeysWith: { $1 })
        return old.interfaces.contains { port in scopes[port.id].map { $0 != port.scope4 } ?? false }
    }

    /// By the gateways' ports.
    private static func routedInterfaces(of router: HostRouter) -> [ResourceID: Set<String>] {
        let gateways = RouterGateways(router).all
        return Dictionary(
            gateways.map { ($0.port.id, RouterScopes.routedInterfaces(of: router, by: $0).elements) }, uniquingKeysWith: { $1 })
    }

    /// What an address of the router stands for.
    private enum Translation: Hashable {
        case fixed(IPAddress)
        case source
    }

    private static func translations(of router: HostRouter) -> [IPAddress: Translation] {
        guard router.isAdminStateUp else { return [:] }
        var translations: [IPAddress: Translation] = [:]
        for gateway in RouterGateways(router).all {
            if gateway.isSNATEnabled {
                // The first speaks for new connections; one that was the first and is still there serves those that it has.
                for source in gateway.port.addresses.map(\.address) where source.version == .v4 { translations[source] = .source }
            }
            for floating in gateway.floatingIPs where floating.address.version == .v4 {
                translations[floating.address] = .fixed(floating.fixedAddress)
            }
        }
        return translations
    }

    /// Without what does not translate: ids, and by which gateway.
    private static func forwardings(of router: HostRouter) -> Set<HostRouter.PortForwarding> {
        guard router.isAdminStateUp, !RouterGateways(router).all.isEmpty else { return [] }
        return Set(
            RouterForwardings.effective(router).map { forwarding in
                var forwarding = forwarding
                forwarding.id = router.id
                forwarding.gatewayID = nil
                return forwarding
            })
    }
}
