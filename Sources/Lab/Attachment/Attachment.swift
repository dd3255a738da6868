import APISchema
import HostModel

/// What is plugged into a port by `neutrino attach`. It is kept in the port itself, as the member ``profileKey`` of `binding:profile`, so that
/// whoever looks at the port sees it, and detaching needs no memory of the host's.
public struct Attachment: Hashable, Sendable {
    public enum Device: Hashable, Sendable {
        /// A veth into a namespace. `isMade`: the namespace was made for it, and goes with it.
        case namespace(String, device: String, isMade: Bool)
        /// A persistent tap for a virtual machine.
        case tap
        /// A device that was there, and the MTU that it had; it is called otherwise while it is attached.
        case existing(String, mtu: Int?)
    }

    static let profileKey = "neutrino:attachment"

    public var device: Device
    /// Whether the port was made for the attachment, and goes with it.
    public var isPortMade: Bool
    /// What attaching overwrote in a port that was there, and detaching restores: its `dns_name`, and what its `binding:profile` said of the instance.
    public var formerName: String?
    public var formerFacts: JSONValue?

    public init(device: Device, isPortMade: Bool) {
        self.device = device
        self.isPortMade = isPortMade
    }

    /// To be called before a port that was there is attached.
    mutating func remember(_ port: JSONValue, isNamed: Bool) {
        formerName = isNamed ? port["dns_name"]?.stringValue ?? "" : nil
        formerFacts = port["binding:profile"]?[InstanceFacts.profileKey]
    }

    /// What a port is updated with that was there before it was attached: what others wrote into it stays.
    func release(of port: JSONValue) -> JSONValue {
        var profile = port["binding:profile"]?.objectValue ?? [:]
        profile[Self.profileKey] = nil
        profile[InstanceFacts.profileKey] = formerFacts
        var attributes: [String: JSONValue] = [
            "binding:host_id": "", "device_owner": "", "device_id": "", "binding:profile": .object(profile),
        ]
        attributes["dns_name"] = formerName.map { .string($0) }
        return .object(attributes)
    }

    var json: JSONValue {
        var members: [String: JSONValue] = ["port_made": .bool(isPortMade)]
        members["former_name"] = formerName.map { .string($0) }
        members["former_instance"] = formerFacts
        switch device {
        case .namespace(let name, let device, let isMade):
            members["namespace"] = .string(name)
            members["device"] = .string(device)
            members["namespace_made"] = .bool(isMade)
        case .tap: members["tap"] = true
        case .existing(let name, let mtu):
            members["device"] = .string(name)
            members["mtu"] = mtu.map { .integer($0) }
        }
        return .object(members)
    }

    init?(json: JSONValue) {
        let isPortMade = json["port_made"]?.boolValue == true
        if let name = json["namespace"]?.stringValue, let device = json["device"]?.stringValue {
            self.init(device: .namespace(name, device: device, isMade: json["namespace_made"]?.boolValue == true), isPortMade: isPortMade)
        } else if json["tap"]?.boolValue == true {
            self.init(device: .tap, isPortMade: isPortMade)
        } else if let device = json["device"]?.stringValue {
            self.init(device: .existing(device, mtu: json["mtu"]?.integerValue), isPortMade: isPortMade)
        } else {
            return nil
        }
        formerName = json["former_name"]?.stringValue
        formerFacts = json["former_instance"]
    }

    /// The attachment of a port as the API shows it; nil when nothing was attached, or Nova did it.
    public init?(port: JSONValue) {
        guard let json = port["binding:profile"]?[Self.profileKey], let attachment = Attachment(json: json) else { return nil }
        self = attachment
    }
}

/// What shall be plugged into which port.
public struct AttachmentRequest: Sendable {
    public enum Target: Sendable {
        /// A port by its id or name.
        case port(String)
        /// A new port on a network, by its id or name.
        case network(String, NewPort)
    }

    public struct NewPort: Sendable {
        public var fixedAddresses: [String] = []
        /// Ids or names; empty: the project's default group.
        public var securityGroups: [String] = []
        public var mac: String?

        public init(fixedAddresses: [String] = [], securityGroups: [String] = [], mac: String? = nil) {
            self.fixedAddresses = fixedAddresses
            self.securityGroups = securityGroups
            self.mac = mac
        }
    }

    public enum Plug: Sendable {
        /// Made if it is absent. `usesDHCP`: addresses come by DHCP, else they are set as the API says.
        case namespace(String, device: String, usesDHCP: Bool)
        /// `owner`: a user or number who may open the tap besides root.
        case tap(owner: String?)
        case existing(String)
    }

    public var target: Target
    public var plug: Plug
    /// The host as the server knows it: `binding:host_id`.
    public var host: String
    /// What the instance is called; nil: as its port is.
    public var name: String?
    /// What the metadata service tells it; without a hostname it is called by its name.
    public var facts = InstanceFacts()
    /// The port must be ACTIVE by then.
    public var timeoutMilliseconds = 60_000

    public init(_ target: Target, plug: Plug, host: String) {
        self.target = target
        self.plug = plug
        self.host = host
    }
}

/// An attachment that works.
public struct AttachedPort: Sendable {
    public var portID: String
    public var networkName: String
    public var host: String
    public var mac: String
    public var mtu: Int
    public var tapName: String
    public var addresses: [PortAddress]
    public var attachment: Attachment
}
