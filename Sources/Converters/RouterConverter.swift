import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses

/// One router on one host: its namespace with devices, addresses, routes and NAT, and its keepalived when it is highly available.
///
///                   brq<internal>      brq<external>      brq<HA network>
///                         │                  │                  │
///     qrouter-<id>:   qr-<port> …        qg-<port>          ha-<port>
///                     addresses          addresses          169.254.192.0/18, the agent's
///                                        floating IPs /32   169.254.0.<VRID>/24, the master's
///
/// A router with several gateways has a qg- for each, see ``RouterPaths``.
///
/// Of a standalone router, the agent owns addresses and routes. Of an HA router, keepalived owns those of qr- and qg-: only the master
/// has them, and its agent is not needed for that. NAT is the same on every member, so that it is there before the addresses are.
public enum RouterConverter {
    public static func namespace(of routerID: ResourceID) -> NamespaceName { NamespaceName("qrouter-\(routerID)") }

    public static func paths(of routerID: ResourceID, settings: AgentSettings) -> KeepalivedPaths {
        KeepalivedPaths(stateDirectory: settings.stateDirectory, router: routerID.description)
    }

    /// A router that is administratively down keeps its namespace, with nothing in it that forwards.
    public static func convert(router: HostRouter, settings: AgentSettings) -> RouterPieces {
        var pieces = RouterPieces(namespace: namespace(of: router.id))
        guard router.isAdminStateUp else {
            pieces.configuration.sysctls = ["net/ipv4/ip_forward": "0"]
            return pieces
        }
        let layout = RouterLayout(router)
        let gateways = RouterGateways(router)
        for device in layout.devices {
            let link = ServiceLink(
                device.prefix, portID: device.port.id, networkID: device.port.networkID, mac: device.port.mac, mtu: device.port.mtu,
                namespace: pieces.namespace, isUp: device.port.isAdminStateUp)
            pieces.hostLinks.append(link.outer)
            pieces.configuration.links[link.inner.name] = link.inner
        }
        pieces.configuration.sysctls = RouterSysctls.values(carriesIPv6: layout.carriesIPv6, isRedundant: router.redundancy != nil)
        for gateway in gateways.all where layout.carriesIPv6 && gateway.port.mtu >= L2Converter.minimumIPv6MTU {
            let sysctls = RouterSysctls.gateway(gateway.device, hasIPv6Gateway: gateways.haveIPv6Gateway)
            pieces.configuration.sysctls.merge(sysctls) { $1 }
        }
        pieces.configuration.firewall = [
            RouterTranslation.table(for: router), RouterScopes.table(for: router), RouterLimits.table(for: router),
            RouterHelpers.table(for: router, known: settings.trackingHelpers), RouterSilence.table(for: router),
            RouterReplication.table(for: router), RouterPaths.table(for: gateways),
        ].compactMap { $0 }
        pieces.problems = RouterForwardings(of: router).problems + RouterHelpers.problems(of: router, known: settings.trackingHelpers)
        pieces.configuration.rules = RouterPaths.rules(for: gateways, carriesIPv6: layout.carriesIPv6)
        if let daemon = RouterAdvertisements.daemon(for: router, layout, settings) { pieces.daemons.append(daemon) }
        if let redundancy = router.redundancy {
            addRedundancy(router, redundancy, layout, settings, to: &pieces)
        } else {
            pieces.configuration.managesAddresses = Set(layout.devices.map(\.name))
            pieces.configuration.addresses = layout.addresses
            pieces.configuration.routes = layout.routes
        }
        return pieces
    }
}
