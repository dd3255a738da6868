import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Layer 2 of a host: one bridge per network, its uplink (VXLAN or a physical interface), the instances' ports, and what is known about
/// ports on other hosts.
///
///     tap… (instance) ─┐
///     tap… (service) ──┤ brq<network> ├── vxlan-<vni>, the physical interface, or <interface>.<VLAN>
public enum L2Converter {
    /// What layer 2 adds to the host's own namespace.
    public struct Pieces: Hashable, Sendable {
        public var links: [String: Link] = [:]
        public var forwarding: Set<ForwardingEntry> = []
        public var neighbours: Set<Neighbour> = []
        public var sysctls: [String: String] = [:]
        /// Sentences about what this host cannot realise.
        public var problems: [String] = []
        /// Networks that this host does not carry as it shall: their ports are not wired, whatever their devices look like.
        public var unrealised: Set<ResourceID> = []
    }

    public static func convert(_ view: HostView, _ settings: AgentSettings) -> Pieces {
        var pieces = Pieces()
        let announcing = announcingNetworks(view)
        for id in view.networks.keys.sorted() {
            guard let network = view.networks[id] else { continue }
            addNetwork(network, isAnnouncing: announcing.contains(id), view, settings, to: &pieces)
        }
        for port in view.ports.all { addPort(port, view, to: &pieces) }
        if !pieces.links.isEmpty { pieces.sysctls.merge(settings.memorySettings) { $1 } }
        if !pieces.links.isEmpty && !settings.hasBridgeConntrack {
            // br_netfilter takes bridged packets past connection tracking, which marks them for the bridge table.
            pieces.sysctls["net/bridge/bridge-nf-call-iptables"] = "1"
            pieces.sysctls["net/bridge/bridge-nf-call-ip6tables"] = "1"
        }
        return pieces
    }

    /// The least that IPv6 allows (RFC 8200, section 5): the kernel has none on a device with less, nor settings of it.
    static let minimumIPv6MTU = 1280

    /// A device that the host must not speak on: without this the kernel sends neighbour discovery and multicast reports into the network.
    public static func silence(_ device: String, mtu: Int?) -> [String: String] {
        if let mtu, mtu < minimumIPv6MTU { return [:] }
        return ["net/ipv6/conf/\(device)/disable_ipv6": "1"]
    }

    /// A bridge that answers neighbour solicitations for others must have IPv6, since a device without has no neighbours. Without any address of its own
    /// it is as silent. (Set in the order of their names: nothing makes an address when it begins.)
    private static func answering(_ bridge: String) -> [String: String] {
        ["accept_ra": "0", "addr_gen_mode": "1", "disable_ipv6": "0", "forwarding": "0"]
            .reduce(into: [:]) { $0["net/ipv6/conf/\(bridge)/\($1.key)"] = $1.value }
    }

    private static func addNetwork(
        _ network: HostNetwork, isAnnouncing: Bool, _ view: HostView, _ settings: AgentSettings, to pieces: inout Pieces
    ) {
        switch network.carrier {
        case .local:
            addBridge(network, settings, to: &pieces)
        case .flat(let physicalNetwork):
            addBridge(network, settings, to: &pieces)
            addPhysicalInterface(network, physicalNetwork, settings, to: &pieces)
        case .vlan(let physicalNetwork, let id):
            addBridge(network, settings, to: &pieces)
            addVLAN(network, physicalNetwork, id, settings, to: &pieces)
        case .vxlan(let vni):
            addBridge(network, settings, to: &pieces)
            guard let local = settings.tunnelAddress else {
                refuse(network, "VXLAN \(vni) needs a tunnel address, and this host has none (--tunnel-address)", &pieces)
                return
            }
            addTunnel(network, vni: vni, local: local, isAnnouncing: isAnnouncing, settings, to: &pieces)
            addRemotePorts(network, vni: vni, local: local, view, to: &pieces)
        }
    }

    private static func addBridge(_ network: HostNetwork, _ settings: AgentSettings, to pieces: inout Pieces) {
        let name = L2Names.bridge(network.id)
        pieces.links[name] = Link(
            name: name, kind: .bridge, mac: bridgeMAC(of: network, settings), mtu: network.mtu, alias: "neutrino:bridge")
        pieces.sysctls.merge(silence(name, mtu: network.mtu)) { $1 }
    }

    /// A bridge without a MAC of its own takes the lowest one of its ports, and each change of it makes the kernel drop the bridge's
    /// permanent neighbours (`neigh_changeaddr`): ARP suppression would end with a port. The bridge of an external network asks for gateways
    /// and for other owners of addresses, so it is another MAC on each host, and the same after each start. A host without a tunnel endpoint,
    /// which nothing tells from others, does not ask.
    private static func bridgeMAC(of network: HostNetwork, _ settings: AgentSettings) -> MACAddress {
        let hash = StableHash.hash64(ResourceID(rawValue: network.id.rawValue ^ (settings.tunnelAddress?.number ?? 0)))
        return MACAddress(rawValue: 0x0200_0000_0000 | hash & 0xFF_FFFF_FFFF)
    }

    private static func addPhysicalInterface(
        _ network: HostNetwork, _ physicalNetwork: String, _ settings: AgentSettings, to pieces: inout Pieces
    ) {
        guard let interface = interface(of: network, physicalNetwork, settings, &pieces) else { return }
        guard pieces.links[interface]?.bridge == nil else {
            return refuse(network, "interface \(interface) already carries another flat network", &pieces)
        }
        // Its MTU is its owner's decision.
        pieces.links[interface] = Link(name: interface, kind: .foreign, bridge: L2Names.bridge(network.id))
    }

    /// Frames with a tag go to the sub-interface also when the interface itself is a port of a flat network's bridge: the kernel looks for
    /// the tag first.
    private static func addVLAN(
        _ network: HostNetwork, _ physicalNetwork: String, _ id: Int, _ settings: AgentSettings, to pieces: inout Pieces
    ) {
        guard let interface = interface(of: network, physicalNetwork, settings, &pieces) else { return }
        guard settings.hasVLANDevices else {
            return refuse(
                network, "VLAN \(id) on \(physicalNetwork) needs 802.1Q devices, which this host's kernel has not (modprobe 8021q)", &pieces
            )
        }
        let name = L2Names.vlan(interface, id)
        guard pieces.links[name] == nil else {
            return refuse(network, "VLAN \(id) of interface \(interface) already carries another network", &pieces)
        }
        if pieces.links[interface] == nil { pieces.links[interface] = Link(name: interface, kind: .foreign) }
        pieces.links[name] = Link(
            name: name, kind: .vlan(parent: interface, id: id), mtu: network.mtu, bridge: L2Names.bridge(network.id), alias: "neutrino:vlan"
        )
        pieces.sysctls.merge(silence(name, mtu: network.mtu)) { $1 }
    }

    private static func interface(
        of network: HostNetwork, _ physicalNetwork: String, _ settings: AgentSettings, _ pieces: inout Pieces
    ) -> String? {
        let interface = settings.physicalNetworks[physicalNetwork]
        if interface == nil {
            refuse(network, "no interface of this host is mapped to physical network '\(physicalNetwork)' (--physical-network)", &pieces)
        }
        return interface
    }

    private static func refuse(_ network: HostNetwork, _ reason: String, _ pieces: inout Pieces) {
        pieces.problems.append("network \(network.id): \(reason)")
        pieces.unrealised.insert(network.id)
    }

    private static func addTunnel(
        _ network: HostNetwork, vni: Int, local: IPAddress, isAnnouncing: Bool, _ settings: AgentSettings, to pieces: inout Pieces
    ) {
        let name = L2Names.vxlan(vni)
        // It learns, because the MAC of an HA router moves with the VRRP master and only the master's frames tell where.
        pieces.links[name] = Link(
            name: name, kind: .vxlan(vni: vni, local: local, port: settings.vxlanPort, isLearning: true), mtu: network.mtu,
            bridge: L2Names.bridge(network.id), bridgePort: BridgePortOptions(suppressesNeighbours: !isAnnouncing, learns: true),
            alias: "neutrino:vxlan")
        pieces.sysctls.merge(silence(name, mtu: network.mtu)) { $1 }
        for remote in network.remoteEndpoints where remote != local && remote.version == local.version {
            pieces.forwarding.insert(.tunnel(mac: .zero, link: name, remote: remote))
        }
    }

    /// What makes the bridge answer ARP and neighbour solicitations for a remote port, and send its frames to one host only: the bridge finds the MAC behind the
    /// tunnel, the tunnel finds the host, and the bridge's neighbour table says which MAC has the address.
    private static func addRemotePorts(_ network: HostNetwork, vni: Int, local: IPAddress, _ view: HostView, to pieces: inout Pieces) {
        let (tunnel, bridge) = (L2Names.vxlan(vni), L2Names.bridge(network.id))
        for port in view.remotePorts.items(of: network.id) where port.endpoint != local && port.endpoint.version == local.version {
            pieces.forwarding.insert(.tunnel(mac: port.mac, link: tunnel, remote: port.endpoint))
            pieces.forwarding.insert(.bridgePort(mac: port.mac, link: tunnel))
            for address in port.addresses where address.version == .v4 || network.mtu >= minimumIPv6MTU {
                pieces.neighbours.insert(Neighbour(address: address, mac: port.mac, link: bridge))
                if address.version == .v6 { pieces.sysctls.merge(answering(bridge)) { $1 } }
            }
        }
    }

    /// An instance's device. It stays out of the bridge while its port is administratively down or its network is not there, and is down itself: what
    /// an instance sends into a device that is no port of a bridge is the host's to answer, route and take out of tunnels.
    private static func addPort(_ port: HostPort, _ view: HostView, to pieces: inout Pieces) {
        let bridge = L2Names.bridge(port.networkID)
        let isWired = port.isAdminStateUp && pieces.links[bridge] != nil
        pieces.links[port.deviceName] = Link(
            name: port.deviceName, kind: .foreign, mtu: view.networks[port.networkID]?.mtu, isUp: isWired, bridge: isWired ? bridge : nil)
    }

    /// Networks in which somebody on this host sends gratuitous ARP that other hosts must hear: the members of an HA router, a router that
    /// announces floating IPs, instances that share addresses (allowed pairs, no port security).
    ///
    /// A bridge port with `neigh_suppress` swallows gratuitous ARP that comes from other ports of its bridge (measured on
    /// Linux 6.18; `br_do_proxy_suppress_arp` in net/bridge/br_arp_nd_proxy.c), so there the tunnel must not suppress.
    private static func announcingNetworks(_ view: HostView) -> Set<ResourceID> {
        var networks: Set<ResourceID> = []
        for router in view.routers.values {
            networks.formUnion(router.gatewayPorts.map(\.networkID))
            guard let redundancy = router.redundancy else { continue }
            networks.insert(redundancy.port.networkID)
            networks.formUnion(router.interfaces.map(\.networkID))
        }
        for port in view.ports.all where !port.isPortSecurityEnabled || !port.allowedAddressPairs.isEmpty {
            networks.insert(port.networkID)
        }
        return networks
    }
}
