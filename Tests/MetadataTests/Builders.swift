import Addressing
import HostModel
import Metadata
import NetworkModel

func networkID(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number) << 96) }
func portID(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(100 + number) << 96) }

/// Parses what a test wrote; a test with a typing error must not go on.
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? { preconditionFailure("'\(text)' is no address") }() }
func prefix(_ text: String) -> IPPrefix { IPPrefix(text) ?? { preconditionFailure("'\(text)' is no prefix") }() }
func mac(_ number: Int) -> MACAddress { MACAddress(rawValue: 0xFA16_3E00_0000 | UInt64(number)) }

/// The port with the number on a network.
func port(
    _ number: Int, on network: Int = 1, _ addresses: String..., device: String = "device", project: String = "p",
    floating: String? = nil, facts: InstanceFacts? = nil, isInstance: Bool = true
) -> FeedMessage {
    .put(
        .reservation(
            HostReservation(
                portID: portID(number), networkID: networkID(network), mac: mac(number), addresses: [], hostname: "host-\(number)",
                revision: 1,
                instance: isInstance
                    ? .init(id: device, projectID: project, addresses: addresses.map(ip), floatingAddress: floating.map(ip), facts: facts)
                    : nil)))
}

func service(on network: Int = 1, _ subnets: HostDHCP.Subnet..., others: [HostDHCP.Subnet] = []) -> FeedMessage {
    .put(
        .dhcp(
            HostDHCP(
                networkID: networkID(network), portID: portID(90), portMAC: mac(90), portAddresses: [], portRevision: 1, mtu: 1450,
                subnets: subnets, otherSubnets: others)))
}

func subnet(_ cidr: String, gateway: String? = nil, dns: [String] = [], mode: IPv6Mode? = nil) -> HostDHCP.Subnet {
    HostDHCP.Subnet(
        id: networkID(50), prefix: prefix(cidr), gateway: gateway.map(ip), dnsNameservers: dns.map(ip), addressMode: mode)
}
