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
        let entries = json.arrayValue ?? []
        guard entries.count <= maximum else { throw .addressPairsExhausted(maximum) }
        var pairs: [AddressPair] = []
        for entry in entries {
            let text = entry["ip_address"]?.pythonText ?? "None"
            guard let prefix = IPPrefix(text) else {
                throw .invalidAttribute("allowed_address_pairs", "'\(text)' is not a valid IP subnet")
            }
            let pair = AddressPair(prefix: prefix, mac: entry["mac_address"]?.stringValue.flatMap { MACAddress($0) } ?? mac)
            guard !pairs.contains(pair) else { throw .duplicateAddressPair(pair, text) }
            pairs.append(pair)
        }
        return pairs
    }

    /// Nil when absent. An option whose value is null is taken away, so it is not in the list.
    func dhcpOptions() throws(APIError) -> [ExtraDHCPOption]? {
        guard let json = request["extra_dhcp_opts"] else { return nil }
        var options: [ExtraDHCPOption] = []
        for entry in json.arrayValue ?? [] {
            guard let name = entry["opt_name"]?.stringValue, let value = entry["opt_value"]?.stringValue else { continue }
            options.append(ExtraDHCPOption(name: name, value: value, version: entry["ip_version"]?.integerValue == 6 ? .v6 : .v4))
        }
        return options
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
