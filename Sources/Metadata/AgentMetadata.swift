import APISchema
import NetworkModel

extension Agent {
    /// Whether instances can ask the host of a DHCP agent for metadata, as its ``configurations`` say; where they say nothing they can.
    public var servesMetadata: Bool {
        guard configurations.contains(Self.servesMetadataKey), let json = try? JSONParser.parse(configurations) else { return true }
        return json[Self.servesMetadataKey]?.boolValue ?? true
    }
}
