import NetworkModel

extension NetworkCarrier: JSONAttributeValue {
    /// As the attribute `segments` of a network shows it.
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("provider:network_type")
            type.write(to: &$0)
            $0.key("provider:physical_network")
            physicalNetwork.write(to: &$0)
            $0.key("provider:segmentation_id")
            segmentationID.write(to: &$0)
        }
    }

    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            type: try NetworkType(json: json["provider:network_type"] ?? .null),
            physicalNetwork: try String?(json: json["provider:physical_network"] ?? .null),
            segmentationID: try Int?(json: json["provider:segmentation_id"] ?? .null))
    }
}

extension Segment: ProjectResource {
    public static var blank: Segment {
        Segment(id: .placeholder, networkID: .placeholder, carrier: NetworkCarrier(type: .local))
    }

    public static let table = ResourceTable<Segment>(
        singular: "segment", plural: "segments", collection: "segments", notFoundName: "Segment",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "segment"),
            .request("project_id", .string(maximum: 255), [.create], from: "segment"),
            .stored("network_id", \.networkID, .uuid, [.create, .required, .filter, .sort], from: "segment"),
            .stored("name", \.name, .nullable(.name(maximum: 255)), [.create, .update, .filter, .sort], from: "segment"),
            .keptRequest(
                "network_type", \.carrier.type, .string(maximum: 32), [.create, .required, .filter, .sort], from: "segment"),
            .keptRequest(
                "physical_network", \.carrier.physicalNetwork, .nullable(.string(maximum: 64)), [.create, .filter, .sort], from: "segment"),
            .keptRequest(
                "segmentation_id", \.carrier.segmentationID, .nullable(.integer(nil)), [.create, .filter, .sort], from: "segment"),
            .internal("segment_index", \.index),
        ] + standardAttributes)
}

extension NetworkSegmentRange: ProjectResource {
    public static var blank: NetworkSegmentRange { NetworkSegmentRange(id: .placeholder, type: .vxlan, minimum: 1, maximum: 1) }

    private static let number = AttributeType.integer(1...4_294_967_295)

    public static let table = ResourceTable<NetworkSegmentRange>(
        singular: "network_segment_range", plural: "network_segment_ranges", collection: "network_segment_ranges",
        notFoundName: "NetworkSegmentRange",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "network-segment-range"),
            .keptRequest(
                "project_id", \.ownerID, .nullable(.string(maximum: 255)), [.create, .filter, .sort], from: "network-segment-range"),
            .stored(
                "name", \.name, .name(maximum: 255), [.create, .update, .filter, .sort], default: "", from: "network-segment-range"),
            .keptRequest("default", \.isDefault, .boolean, [], from: "network-segment-range"),
            .stored("shared", \.isShared, .boolean, [.create], default: true, from: "network-segment-range"),
            .keptRequest(
                "network_type", \.type, .oneOf(["vlan", "vxlan", "gre", "geneve"]), [.create, .required, .filter],
                from: "network-segment-range"),
            .keptRequest(
                "physical_network", \.physicalNetwork, .nullable(.string(maximum: 64)), [.create, .filter], from: "network-segment-range"),
            .stored("minimum", \.minimum, number, [.create, .required, .update], from: "network-segment-range"),
            .stored("maximum", \.maximum, number, [.create, .required, .update], from: "network-segment-range"),
            .request("available", .any, [], from: "network-segment-range") { range, writer in range.available.write(to: &writer) },
            .request("used", .any, [], from: "network-segment-range") { range, writer in
                writer.object { writer in
                    for (number, project) in range.used.sorted(by: { $0.key < $1.key }) {
                        writer.key(String(number))
                        writer.string(project)
                    }
                }
            },
        ] + standardAttributes)
}
