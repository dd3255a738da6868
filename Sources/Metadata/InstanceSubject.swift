import Addressing
import HostModel
import NetworkModel

/// The instance that asks for metadata.
public struct InstanceSubject: Hashable, Sendable {
    /// The port that it asks from.
    public var portID: ResourceID
    public var mac: MACAddress
    /// As the port's `device_id` says; empty when it says nothing.
    public var deviceID: String
    public var projectID: String
    public var hostname: String
    /// Of the port that it asks from.
    public var addresses: [IPAddress]
    public var floatingAddress: IPAddress?
    public var facts: InstanceFacts
    /// All of its ports on networks that this host knows.
    public var ports: [SubjectPort]

    init(reservation: HostReservation, instance: HostReservation.Instance, ports: [SubjectPort]) {
        portID = reservation.portID
        mac = reservation.mac
        deviceID = instance.id
        projectID = instance.projectID
        facts = instance.facts ?? InstanceFacts()
        hostname = facts.hostname ?? reservation.hostname
        addresses = instance.addresses
        floatingAddress = instance.floatingAddress
        self.ports = ports
    }

    /// What the instance is identified by; never empty, so that cloud-init knows a new instance from a restarted one.
    public var id: String { deviceID.isEmpty ? portID.description : deviceID }
}

/// One port of an instance, as `network_data.json` tells of it.
public struct SubjectPort: Hashable, Sendable {
    /// How the instance comes to an address.
    public enum Way: Hashable, Sendable {
        case dhcp
        /// It makes the address itself, as routers advertise (SLAAC).
        case advertised
        /// The same, and asks a DHCPv6 server for the rest.
        case advertisedWithDHCP
        /// It must be told.
        case fixed
    }

    public struct Address: Hashable, Sendable {
        public var address: IPAddress
        public var prefixLength: Int
        public var way: Way
        public var gateway: IPAddress?
    }

    public var id: ResourceID
    public var networkID: ResourceID
    public var mac: MACAddress
    /// Nil when this host does not know it.
    public var mtu: Int?
    public var addresses: [Address]
    public var dnsServers: [IPAddress]
}
