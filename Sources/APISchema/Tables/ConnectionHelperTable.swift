import NetworkModel

extension ConnectionHelper: APIResource {
    public static var blank: ConnectionHelper {
        ConnectionHelper(id: .placeholder, routerID: .placeholder, helper: "", networkProtocol: "", port: 1)
    }

    /// All protocols that have a name; which of them a helper understands is the operation's to say.
    private static let protocols = [
        "ah", "dccp", "egp", "esp", "gre", "hopopt", "icmp", "igmp", "ip", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6",
        "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite", "vrrp",
    ]

    /// A part of a router: `/v2.0/routers/{id}/conntrack_helpers`.
    public static let table = ResourceTable<ConnectionHelper>(
        singular: "conntrack_helper", plural: "conntrack_helpers", collection: "conntrack_helpers", notFoundName: "ConntrackHelper",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort]),
            .request("project_id", .string(maximum: 255), [.create], from: "l3-conntrack-helper"),
            .internal("router_id", \.routerID),
            .stored(
                "protocol", \.networkProtocol, .oneOf(protocols), [.create, .required, .update, .filter, .sort],
                from: "l3-conntrack-helper"),
            .stored(
                "port", \.port, .integer(1...65535), [.create, .required, .update, .filter, .sort], from: "l3-conntrack-helper"),
            .stored(
                "helper", \.helper, .string(maximum: 64), [.create, .required, .update, .filter, .sort], from: "l3-conntrack-helper"),
        ])
}

extension Router.Helper: JSONAttributeValue {
    /// As clients see it inside its router. Its identity is not shown there, so the row adds it: see ``write(to:)``.
    func show(to writer: inout JSONWriter) { writer.object { writeMembers(to: &$0) } }

    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("id")
            id.write(to: &$0)
            writeMembers(to: &$0)
        }
    }

    private func writeMembers(to writer: inout JSONWriter) {
        writer.key("protocol")
        writer.string(networkProtocol)
        writer.key("port")
        writer.integer(port)
        writer.key("helper")
        writer.string(helper)
    }

    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            ConnectionHelper(
                id: try ResourceID(json: json["id"] ?? .null), routerID: .placeholder, helper: try String(json: json["helper"] ?? .null),
                networkProtocol: try String(json: json["protocol"] ?? .null), port: try Int(json: json["port"] ?? .null)))
    }
}
