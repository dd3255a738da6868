import Addressing
import NetworkModel

extension PortForwarding: APIResource {
    public static var blank: PortForwarding {
        PortForwarding(
            id: .placeholder, floatingIPID: .placeholder, networkProtocol: "", externalPorts: .placeholder, internalPortID: .placeholder,
            internalAddress: .v4(.init(rawValue: 0)), internalPorts: .placeholder)
    }

    private static let portType = AttributeType.nullable(.integer(1...65535))
    /// Those that have ports.
    private static let protocols = ["tcp", "udp", "sctp", "dccp", "udplite"]

    /// A part of a floating IP: `/v2.0/floatingips/{id}/port_forwardings`.
    public static let table = ResourceTable<PortForwarding>(
        singular: "port_forwarding", plural: "port_forwardings", collection: "port_forwardings", notFoundName: "PortForwarding",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort]),
            .request("project_id", .string(maximum: 255), [.create], from: "floating-ip-port-forwarding"),
            .internal("floatingip_id", \.floatingIPID),
            .stored(
                "protocol", \.networkProtocol, .oneOf(protocols), [.create, .required, .update, .filter, .sort],
                from: "floating-ip-port-forwarding"),
            .keptRequest(
                "external_port", \.singleExternalPort, portType, [.create, .update, .filter, .sort], from: "floating-ip-port-forwarding"),
            .keptRequest(
                "external_port_range", \.externalPorts, .nullable(.portRange), [.create, .update, .filter, .sort],
                from: "floating-ip-port-forwarding-port-ranges"),
            .stored(
                "internal_port_id", \.internalPortID, .uuid, [.create, .required, .update, .filter, .sort],
                from: "floating-ip-port-forwarding"),
            .stored(
                "internal_ip_address", \.internalAddress, .ipAddress, [.create, .required, .update], from: "floating-ip-port-forwarding"),
            .keptRequest("internal_port", \.singleInternalPort, portType, [.create, .update], from: "floating-ip-port-forwarding"),
            .keptRequest(
                "internal_port_range", \.internalPorts, .nullable(.portRange), [.create, .update],
                from: "floating-ip-port-forwarding-port-ranges"),
            .stored(
                "description", \.description, .string(maximum: 1024), [.create, .update, .filter], default: "",
                from: "floating-ip-port-forwarding-description"),
        ])
}

extension PortForwarding {
    /// Single ports have a column of their own so that lists can filter by them; the range decides it, so loading the column changes nothing.
    var singleExternalPort: Int? {
        get { externalPorts.single }
        set {}
    }

    var singleInternalPort: Int? {
        get { internalPorts.single }
        set {}
    }
}

extension PortRange: TextAttributeValue {
    /// Of a resource that is still being made up.
    static let placeholder: PortRange = {
        guard let range = PortRange(1, 1) else { preconditionFailure("1 is a port") }
        return range
    }()

    public init?(text: String) {
        guard let range = try? PortRange(checking: text) else { return nil }
        self = range
    }

    public init(json: JSONValue) throws(InvalidValue) { try self.init(checking: json.pythonText) }

    private init(checking text: String) throws(InvalidValue) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw InvalidValue("Port range must be two integers separated by a colon")
        }
        var numbers: [Int] = []
        for part in parts {
            guard let number = Int(part), (0...65535).contains(number) else { throw InvalidValue("Invalid port: \(part)") }
            guard number > 0 else { throw InvalidValue("Invalid port: \(part), the port must be in the range [1, 65535]") }
            numbers.append(number)
        }
        guard let range = PortRange(numbers[0], numbers[numbers.count - 1]) else {
            throw InvalidValue("First port in a port range must be lower than the second port")
        }
        self = range
    }

    public static func refusal(_ text: String) -> String { "Invalid port: \(text)" }
}

extension FloatingIP.Forwarding: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("id")
            id.write(to: &$0)
            $0.key("protocol")
            $0.string(networkProtocol)
            $0.key("external_port")
            externalPorts.single.write(to: &$0)
            $0.key("external_port_range")
            externalPorts.write(to: &$0)
            $0.key("internal_port_id")
            internalPortID.write(to: &$0)
            $0.key("internal_ip_address")
            internalAddress.write(to: &$0)
            $0.key("internal_port")
            internalPorts.single.write(to: &$0)
            $0.key("internal_port_range")
            internalPorts.write(to: &$0)
        }
    }

    /// What a floating IP shows of it.
    func writeBriefly(to writer: inout JSONWriter) {
        writer.object {
            $0.key("id")
            id.write(to: &$0)
            $0.key("protocol")
            $0.string(networkProtocol)
            $0.key("internal_port_id")
            internalPortID.write(to: &$0)
            $0.key("internal_ip_address")
            internalAddress.write(to: &$0)
            if let port = internalPorts.single {
                $0.key("internal_port")
                port.write(to: &$0)
            }
            if let port = externalPorts.single {
                $0.key("external_port")
                port.write(to: &$0)
            }
        }
    }

    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            PortForwarding(
                id: try ResourceID(json: json["id"] ?? .null), floatingIPID: .placeholder,
                networkProtocol: try String(json: json["protocol"] ?? .null),
                externalPorts: try PortRange(json: json["external_port_range"] ?? .null),
                internalPortID: try ResourceID(json: json["internal_port_id"] ?? .null),
                internalAddress: try IPAddress(json: json["internal_ip_address"] ?? .null),
                internalPorts: try PortRange(json: json["internal_port_range"] ?? .null)))
    }
}
