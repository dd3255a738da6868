import Addressing
import Converters
import Drivers
import Glibc
import HostModel
import KernelInterface
import KernelLinux
import NetworkModel

// A host with many instances: ports of ten networks with DHCP, all in one security group that names itself, whose other members are elsewhere.

let portNetworks = 10
let groupID = id(900_000)

func portOfMany(_ number: Int) -> HostPort {
    HostPort(
        id: id(100_000 + number), networkID: id(1 + number % portNetworks), mac: MACAddress(rawValue: 0xfa16_3e10_0000 | UInt64(number)),
        addresses: [address("10.\(number % portNetworks).\(number / 2500).\(number / 10 % 250 + 3)")], securityGroupIDs: [groupID])
}

func put(_ number: Int, in view: inout HostView) {
    let port = portOfMany(number)
    view.put(.port(port))
    let prefixes = port.addresses.compactMap { IPPrefix(masking: $0, length: 32) }
    view.put(.groupMember(HostGroupMember(groupID: groupID, portID: port.id, addresses: prefixes)))
    view.put(
        .reservation(
            HostReservation(
                portID: port.id, networkID: port.networkID, mac: port.mac, addresses: port.addresses, hostname: "host-\(number)",
                revision: 1)))
}

func putMember(_ number: Int, in view: inout HostView) {
    let text = "10.\(100 + number / 62_500).\(number / 250 % 250).\(number % 250 + 1)/32"
    guard let prefix = IPPrefix(text) else { preconditionFailure("'\(text)' is a prefix") }
    view.put(.groupMember(HostGroupMember(groupID: groupID, portID: id(500_000 + number), addresses: [prefix])))
}

func manyPorts(_ count: Int, members: Int) -> HostView {
    var view = HostView()
    for number in 0..<portNetworks {
        let network = id(1 + number)
        view.put(.network(HostNetwork(id: network, carrier: .vxlan(vni: 1 + number), mtu: 1450)))
        let subnet = HostDHCP.Subnet(
            id: id(800_000 + number), prefix: IPPrefix(masking: address("10.\(number).0.0"), length: 16) ?? { preconditionFailure() }(),
            gateway: address("10.\(number).0.1"))
        view.put(
            .dhcp(
                HostDHCP(
                    networkID: network, portID: id(700_000 + number), portMAC: MACAddress(rawValue: 0xfa16_3e20_0000 | UInt64(number)),
                    portAddresses: [interface("10.\(number).0.2/16")], portRevision: 1, mtu: 1450, subnets: [subnet])))
    }
    let rules: Set<HostSecurityGroup.Rule> = [
        .init(direction: .egress, ipVersion: 4), .init(direction: .egress, ipVersion: 6),
        .init(direction: .ingress, ipVersion: 4, remoteGroupID: groupID), .init(direction: .ingress, ipVersion: 6, remoteGroupID: groupID),
    ]
    view.put(.securityGroup(HostSecurityGroup(id: groupID, rules: rules)))
    for number in 0..<count { put(number, in: &view) }
    for number in 0..<members { putMember(number, in: &view) }
    return view
}

func plug(_ numbers: Range<Int>) {
    let taps = numbers.map { portOfMany($0).deviceName }
    let lines = taps.map { "link add \($0) type veth peer name p\($0.dropFirst(3))" } + taps.map { "link set \($0) up" }
    let result = try? runProgram(["ip", "-batch", "-"], input: lines.joined(separator: "\n") + "\n", timeoutMilliseconds: 300_000)
    precondition(result?.exitCode == 0, "the taps could not be made: \(result?.standardError ?? "")")
}

func measurePorts(_ ports: Int, members: Int) {
    var view = manyPorts(ports, members: members)
    plug(0..<ports + 21)
    var agent = reconciler()
    func cycle(_ name: String, _ mode: Reconciler.Mode) {
        let start = now()
        let desired = HostConverter.convert(view, settings).configuration
        let converted = now() - start
        measure("\(name) (converted in \(milliseconds(converted)))") { agent.apply(desired, mode) }
    }
    print("\(ports) ports, \(members) further members")
    cycle("absent, full", .full)
    cycle("unchanged, full", .full)
    cycle("unchanged, changed", .changed)
    put(ports, in: &view)
    cycle("one port more", .changed)
    put(ports + 1, in: &view)
    agent.markLinksDirty(nil)
    cycle("one port more, links looked at", .changed)
    putMember(members, in: &view)
    cycle("one member more", .changed)
    for number in ports + 2..<ports + 21 { put(number, in: &view) }
    cycle("19 ports more", .changed)
    agent = reconciler()
    cycle("new agent, full", .full)
}
