import APISchema
import Addressing
import NetworkModel

/// What a POST or PUT says about the attributes of a port that are not simply stored.
struct PortRequest {
    let request: ResourceRequest<Port>

    /// Nil when absent: the server chooses.
    func fixedIPs() throws(APIError) -> [AddressRequest]? {
        guard let entries = request["fixed_ips"]?.arrayValue else { return nil }
        return entries.map { entry in
            AddressRequest(
                subnetID: entry["subnet_id"]?.stringValue.flatMap { ResourceID($0) },
                address: entry["ip_address"]?.stringValue.flatMap { IPAddress($0) })
        }
    }

    /// Nil when absent; null is the empty list.
    func securityGroupIDs() throws(APIError) -> [ResourceID]? {
        guard request.contains("security_groups") else { return nil }
        return try request.value("security_groups", as: [ResourceID]?.self).flatMap { $0 } ?? []
    }

    /// Nil when absent. A pair without MAC address has the port's.
    func addressPairs(mac: MACAddress, maximum: Int) throws(APIError) -> [AddressPair]? {
        guard let json = request["allowed_address_pairs"] else { return nil }
        guard !json.isNull else { return [] }
        guard let entries = json.arrayValue else { throw .badRequest("Allowed address pairs must be a list.") }
        guard entries.count <= maximum else { throw .addressPairsExhausted(maximum) }
        var pairs: [AddressPair] = []
        for entry in entries {
            let (prefix, own, text) = try Self.addressPair(entry)
            let pair = AddressPair(prefix: prefix, mac: own ?? mac, text: text)
            guard !pairs.contains(pair) else { throw .duplicateAddressPair(pair, text) }
            pairs.append(pair)
        }
        return pairs
    }

    /// One pair, with the address as it was given.
    private static func addressPair(_ json: JSONValue) throws(APIError) -> (prefix: IPPrefix, mac: MACAddress?, text: String) {
        guard let members = json.objectValue else {
            throw .invalidAttribute("allowed_address_pairs", "'\(json.pythonText)' is not a dictionary")
        }
        var mac: MACAddress?
        if let given = members["mac_address"] {
            mac = given.stringValue.flatMap { MACAddress($0) }
            guard let mac, mac != .zero, mac != .broadcast else {
                throw .badRequest("'\(given.pythonText)' is not a valid MAC address")
            }
        }
        guard let given = members["ip_address"] else { throw .addressPairMissesAddress }
        let unknown = members.keys.filter { $0 != "mac_address" && $0 != "ip_address" }.sorted()
        guard unknown.isEmpty else { throw .badRequest("Unrecognized attribute(s) '\(unknown.joined(separator: ", "))'") }
        let text = given.pythonText
        let isPrefix = text.contains("/")
        guard given.stringValue != nil, let prefix = IPPrefix(text) else {
            throw .badRequest("'\(text)' is not a valid IP \(isPrefix ? "subnet" : "address")")
        }
        try refuseMulticast(prefix, mac, text, isPrefix: isPrefix)
        return (prefix, mac, text)
    }

    private static func refuseMulticast(_ prefix: IPPrefix, _ mac: MACAddress?, _ text: String, isPrefix: Bool) throws(APIError) {
        let multicast = prefix.version == .v4 ? "224.0.0.0/4" : "ff00::/8"
        if isPrefix {
            let isEverythingIPv4 = prefix.version == .v4 && prefix.length == 0
            if !isEverythingIPv4, let range = IPPrefix(multicast), prefix.overlaps(range) {
                throw .badRequest("Subnet \(text) overlaps with multicast range \(multicast), which is not supported.")
            }
        } else if prefix.address.isMulticast {
            throw .badRequest("IP \(text) is a multicast address, which is not supported.")
        }
        if let mac, mac.isMulticast {
            throw .badRequest("MAC address \(mac) is a multicast address, which is not supported.")
        }
    }

    /// `hints` as canonical text; the outer nil when absent.
    func hints() -> String?? {
        guard let json = request["hints"] else { return nil }
        return .some(json.isNull ? nil : json.text)
    }

    func bindingProfile() throws(APIError) -> String? {
        guard let json = request["binding:profile"] else { return nil }
        guard !json.isNull else { return "{}" }
        guard json.objectValue != nil else { throw .invalidAttribute("binding:profile", "'\(json.pythonText)' is not a dictionary") }
        return json.text
    }

    func hostID() throws(APIError) -> String? {
        guard request.contains("binding:host_id") else { return nil }
        return try request.value("binding:host_id", as: String?.self).flatMap { $0 } ?? ""
    }
}
