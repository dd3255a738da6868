import Addressing
import NetworkModel

/// A network as a host must carry it.
public struct HostNetwork: Hashable, Sendable, Codable {
    public enum Carrier: Hashable, Sendable, Codable {
        case local
        case flat(physicalNetwork: String)
        case vlan(physicalNetwork: String, id: Int)
        case vxlan(vni: Int)
    }

    public var id: ResourceID
    public var carrier: Carrier
    public var mtu: Int
    /// Tunnel endpoints of the other hosts that carry the network: where unknown frames are flooded to.
    public var remoteEndpoints: Set<IPAddress>

    public init(id: ResourceID, carrier: Carrier, mtu: Int, remoteEndpoints: Set<IPAddress> = []) {
        self.id = id
        self.carrier = carrier
        self.mtu = mtu
        self.remoteEndpoints = remoteEndpoints
    }
}

/// A port on another host, for the forwarding table and for ARP suppression. Ports of HA routers are never here: their MAC moves with
/// the VRRP master, so the bridges learn it.
public struct HostRemotePort: Hashable, Sendable, Codable {
    public var portID: ResourceID
    public var networkID: ResourceID
    public var mac: MACAddress
    public var addresses: [IPAddress]
    /// The tunnel endpoint of the port's host.
    public var endpoint: IPAddress

    public init(portID: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [IPAddress], endpoint: IPAddress) {
        self.portID = portID
        self.networkID = networkID
        self.mac = mac
        self.addresses = addresses
        self.endpoint = endpoint
    }
}
