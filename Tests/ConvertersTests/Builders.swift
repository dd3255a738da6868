import Addressing
import Converters
import HostModel
import NetworkModel

/// An id whose first eleven characters differ from those of other numbers, so that device names differ.
func id(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96 | 0x4000_8000_0000_0000_0000) }

/// Parses what a test wrote; a test with a typing error must not go on.
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? { preconditionFailure("'\(text)' is no address") }() }
func prefix(_ text: String) -> IPPrefix { IPPrefix(text) ?? { preconditionFailure("'\(text)' is no prefix") }() }
func mac(_ text: String) -> MACAddress { MACAddress(text) ?? { preconditionFailure("'\(text)' is no MAC") }() }
func mac(_ number: Int) -> MACAddress { MACAddress(rawValue: 0xFA16_3E00_0000 | UInt64(number)) }
func interfaceAddress(_ text: String) -> InterfaceAddress {
    InterfaceAddress(text) ?? { preconditionFailure("'\(text)' is no address with a prefix length") }()
}

func view(_ items: HostItem...) -> HostView { view(items) }

func view(_ items: [HostItem]) -> HostView {
    var view = HostView()
    for item in items { view.put(item) }
    return view
}

let settings = AgentSettings(
    stateDirectory: "/state", tunnelAddress: ip("192.0.2.1"), physicalNetworks: ["physnet1": "eth9"])

let networkID = id(1)

func network(_ carrier: HostNetwork.Carrier = .vxlan(vni: 77), id: ResourceID = networkID, remotes: Set<IPAddress> = []) -> HostItem {
    .network(HostNetwork(id: id, carrier: carrier, mtu: 1450, remoteEndpoints: remotes))
}

/// The port with the given number on ``networkID``, address 10.0.0.number.
func port(
    _ number: Int, addresses: [IPAddress]? = nil, isUp: Bool = true, isSecure: Bool = true, groups: [ResourceID] = [],
    pairs: [HostPort.Pair] = [], network: ResourceID = networkID
) -> HostPort {
    HostPort(
        id: id(number), networkID: network, mac: mac(number), addresses: addresses ?? [ip("10.0.0.\(number)")], isAdminStateUp: isUp,
        isPortSecurityEnabled: isSecure, securityGroupIDs: groups, allowedAddressPairs: pairs)
}

func tap(_ number: Int) -> String { "tap" + id(number).devicePart }

/// A member with address 10.0.0.port.
func member(_ group: ResourceID, port: Int) -> HostItem {
    .groupMember(HostGroupMember(groupID: group, portID: id(port), addresses: [prefix("10.0.0.\(port)/32")]))
}

/// Neutron's rules of a new default group: everything out, everything in from members.
func defaultGroup(_ id: ResourceID) -> HostSecurityGroup {
    HostSecurityGroup(
        id: id,
        rules: [
            .init(direction: .egress, ipVersion: 4), .init(direction: .egress, ipVersion: 6),
            .init(direction: .ingress, ipVersion: 4, remoteGroupID: id), .init(direction: .ingress, ipVersion: 6, remoteGroupID: id),
        ])
}
