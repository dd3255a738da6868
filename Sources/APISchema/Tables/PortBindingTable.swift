import NetworkModel

extension PortBinding: APIResource {
    public static var blank: PortBinding { PortBinding(hostID: "") }

    /// A binding is known by its port and its host: it has no identity of its own, and no table.
    public var id: ResourceID {
        get { .placeholder }
        set {}
    }

    /// A part of a port: `/v2.0/ports/{id}/bindings/{host}`.
    public static let table = ResourceTable<PortBinding>(
        singular: "binding", plural: "bindings", collection: "bindings", notFoundName: "PortBinding",
        attributes: [
            .stored("host", \.hostID, .string(maximum: 255), [.create, .required, .update, .filter], from: "binding-extended"),
            .request("project_id", .string(maximum: 255), [.create], from: "binding-extended"),
            .request(
                "status", .any, [.filter], from: "binding-extended",
                show: { binding, writer in writer.string(binding.isActive ? "ACTIVE" : "INACTIVE") }),
            .stored("vif_type", \.vifType, .any, [.filter, .guarded], from: "binding-extended"),
            .request(
                "vif_details", .any, [.guarded], from: "binding-extended",
                show: { binding, writer in writeDetails(of: binding.vifType, to: &writer) }),
            .stored(
                "vnic_type", \.vnicType, .oneOf(Port.vnicTypes), [.create, .update, .filter, .guarded], default: "normal",
                from: "binding-extended"),
            .keptRequest(
                "profile", \.shownProfile, .nullable(.any), [.create, .update, .guarded], from: "binding-extended"),
        ])

    /// What Nova needs to plug the device: the agent filters, so Nova must not.
    static func writeDetails(of vifType: String, to writer: inout JSONWriter) {
        writer.object { writer in
            guard vifType == VIFType.bridge else { return }
            writer.key("port_filter")
            writer.bool(true)
            writer.key("connectivity")
            writer.string("l2")
        }
    }

    var shownProfile: JSONText {
        get { JSONText(text: profile) }
        set { profile = newValue.text }
    }
}

extension Port {
    var shownBindingProfile: JSONText {
        get { JSONText(text: bindingProfile) }
        set { bindingProfile = newValue.text }
    }
}

/// An object that is kept as its canonical JSON text, and shown as the object that it is.
struct JSONText: AttributeValue {
    var text: String

    static var columnType: ColumnType { .text }
    var columnValue: ColumnValue { .text(text) }
    init(text: String) { self.text = text }
    init?(columnValue: ColumnValue) {
        guard let text = String(columnValue: columnValue) else { return nil }
        self.text = text
    }
    init(json: JSONValue) { text = json.text }
    func write(to writer: inout JSONWriter) { writer.json(text) }
}

/// An inactive binding inside its port's row.
extension PortBinding: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, text) in [("host", hostID), ("vnic_type", vnicType), ("vif_type", vifType), ("profile", profile)] {
                writer.key(name)
                writer.string(text)
            }
            writer.key("wired")
            writer.bool(isWired)
        }
    }

    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            hostID: try String(json: json["host"] ?? .null), vnicType: try String(json: json["vnic_type"] ?? .null),
            vifType: try String(json: json["vif_type"] ?? .null), profile: try String(json: json["profile"] ?? .null),
            isWired: try Bool(json: json["wired"] ?? false))
    }
}
