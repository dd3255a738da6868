import APISchema
import HostModel

/// ``InstanceFacts`` as a member of a port's `binding:profile`.
extension InstanceFacts {
    /// The value of the profile's member ``profileKey``.
    public var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["hostname"] = hostname.map { .string($0) }
        if !publicKeys.isEmpty { members["public_keys"] = .object(publicKeys.mapValues { .string($0) }) }
        members["user_data"] = userData.map { .string($0) }
        if !meta.isEmpty { members["meta"] = .object(meta.mapValues { .string($0) }) }
        members["vendor_data"] = vendorData.flatMap { try? JSONParser.parse($0) }
        return .object(members)
    }

    /// A whole `binding:profile` with nothing else in it.
    public var profile: JSONValue { [Self.profileKey: json] }

    /// Members of other types than they shall have are left out: whoever wrote them finds them missing in the instance.
    public init(json: JSONValue) {
        self.init(
            hostname: json["hostname"]?.stringValue, publicKeys: Self.texts(json["public_keys"]),
            userData: json["user_data"]?.stringValue, meta: Self.texts(json["meta"]),
            vendorData: json["vendor_data"].flatMap { $0.objectValue == nil ? nil : $0.text })
    }

    /// The facts in the text of a `binding:profile`; nil when there are none, or the text is too long.
    public init?(profile text: String) {
        guard text.utf8.count <= Self.maximumProfileBytes, text.contains(Self.profileKey), let profile = try? JSONParser.parse(text),
            let json = profile[Self.profileKey], json.objectValue != nil
        else { return nil }
        self.init(json: json)
    }

    private static func texts(_ json: JSONValue?) -> [String: String] { (json?.objectValue ?? [:]).compactMapValues(\.stringValue) }
}
