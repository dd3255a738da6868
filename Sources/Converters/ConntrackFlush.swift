import Addressing
import HostModel

/// Connections that must not outlive a change of a router. Translation is decided by a connection's first packet: without this, whoever
/// is connected through a floating IP stays so after the address was taken away or given to another instance.
///
/// The agent runs ``commands`` in the router's namespace after the new translation is loaded, on every member of an HA router. That
/// `conntrack` finds nothing to delete (exit status 1) is no failure.
public struct ConntrackFlush: Hashable, Sendable {
    /// Addresses of the router, sorted: floating IPs and gateway addresses that no longer translate as they did.
    public var addresses: [IPAddress]

    public init(from old: HostRouter, to new: HostRouter) {
        let before = Self.translations(of: old)
        let after = Self.translations(of: new)
        addresses = before.filter { after[$0.key] != $0.value }.keys.sorted()
    }

    /// Words of `conntrack(8)` commands: for each address the connections to it, and those that it is the translated source of.
    public var commands: [[String]] {
        addresses.flatMap { address in
            [["conntrack", "-D", "-d", "\(address)"], ["conntrack", "-D", "-q", "\(address)"]]
        }
    }

    /// What an address of the router stands for.
    private enum Translation: Hashable {
        case fixed(IPAddress)
        case source
    }

    private static func translations(of router: HostRouter) -> [IPAddress: Translation] {
        guard router.isAdminStateUp, let gateway = router.gateway, gateway.isAdminStateUp else { return [:] }
        var translations: [IPAddress: Translation] = [:]
        if router.isSNATEnabled, let source = gateway.addresses.map(\.address).first(where: { $0.version == .v4 }) {
            translations[source] = .source
        }
        for floating in router.floatingIPs where floating.address.version == .v4 {
            translations[floating.address] = .fixed(floating.fixedAddress)
        }
        return translations
    }
}
