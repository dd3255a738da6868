import Addressing
import KernelInterface
import NetworkModel

/// The veth pair that connects a port of a service (DHCP, router) in a namespace with the bridge of its network.
///
///     own namespace                          qrouter-… or qdhcp-…
///     brq<network> ── tap<port> ═══ veth ═══ qr-<port>, qg-<port>, ha-<port> or ns-<port>
///
/// Both ends are declared, each in its own namespace and each naming the other; the driver makes one pair of them.
public struct ServiceLink: Hashable, Sendable {
    /// What stands before the first eleven characters of the port's id.
    public enum Prefix: String, Hashable, Sendable, CaseIterable {
        case dhcp = "ns-"
        case routerInterface = "qr-"
        case routerGateway = "qg-"
        case redundancy = "ha-"

        /// The alias that marks both ends as ours.
        public var alias: String { self == .dhcp ? "neutrino:dhcp" : "neutrino:router" }
    }

    /// `tap…`: for `own.links`. Its MAC is the kernel's choice; nobody sees it.
    public var outer: Link
    /// `qr-…` and so on: for the links of the service's namespace. Has the port's MAC.
    public var inner: Link

    /// - Parameters:
    ///   - mtu: The network's MTU, in octets.
    ///   - namespace: Where the inner end lives.
    ///   - isUp: Whether the inner end is up; the outer one always is.
    public init(
        _ prefix: Prefix, portID: ResourceID, networkID: ResourceID, mac: MACAddress, mtu: Int, namespace: NamespaceName, isUp: Bool = true
    ) {
        let outerName = Self.outerName(portID)
        let innerName = Self.innerName(prefix, portID)
        outer = Link(
            name: outerName, kind: .veth(peer: innerName, peerNamespace: namespace), mtu: mtu, bridge: L2Names.bridge(networkID),
            alias: prefix.alias)
        inner = Link(
            name: innerName, kind: .veth(peer: outerName, peerNamespace: nil), mac: mac, mtu: mtu, isUp: isUp, alias: prefix.alias)
    }

    public static func outerName(_ portID: ResourceID) -> String { "tap" + portID.devicePart }
    public static func innerName(_ prefix: Prefix, _ portID: ResourceID) -> String { prefix.rawValue + portID.devicePart }
}

/// Names of layer 2 devices on a host. They are Neutron's, so that its tools and its users' habits keep working.
public enum L2Names {
    /// `brq` and the first eleven characters of the network's id.
    public static func bridge(_ networkID: ResourceID) -> String { "brq" + networkID.devicePart }
    /// `vxlan-` and the VNI in decimal.
    public static func vxlan(_ vni: Int) -> String { "vxlan-\(vni)" }
    /// The interface, a full stop and the tag in decimal. Where that is longer than the kernel's 15 characters, the interface's first four and six
    /// digits of a hash stand for it.
    public static func vlan(_ interface: String, _ id: Int) -> String {
        let name = "\(interface).\(id)"
        guard name.utf8.count > longestName else { return name }
        let digits = String(StableHash.hash64(interface) & 0xFF_FFFF | 0x100_0000, radix: 16).dropFirst()
        return "\(String(decoding: interface.utf8.prefix(4), as: UTF8.self))\(digits).\(id)"
    }

    private static let longestName = 15
}
