import APISchema
import Addressing
import NetworkModel

extension PortRequest {
    /// Options of one port: more than any firmware asks for, few enough for every host that serves the network.
    private static let maximumDHCPOptions = 64
    private static let maximumOptionNameLength = 64
    private static let maximumOptionValueLength = 255
    /// Options whose value may be empty: it takes away what the subnet's others get.
    private static let blankOptions: Set = ["router", "classless-static-route"]

    /// The port's options after the request: those that it names replace what the port has of them, a value of null takes one away, and all
    /// others stay. Nil when absent.
    func dhcpOptions(current: [ExtraDHCPOption]) throws(APIError) -> [ExtraDHCPOption]? {
        guard let json = request["extra_dhcp_opts"] else { return nil }
        guard !json.isNull else { return current }
        guard let entries = json.arrayValue else { throw .invalidInput("'\(json.pythonText)' is not a list") }
        guard Set(entries).count == entries.count else {
            var seen: Set<JSONValue> = []
            let twice = entries.first { !seen.insert($0).inserted }
            throw .invalidInput("Duplicate items in the list: '\(twice?.pythonText ?? "")'")
        }
        var options = current
        for entry in entries {
            let (option, value) = try Self.option(entry)
            let position = options.firstIndex { $0.name == option.name && $0.version == option.version }
            switch (position, value) {
            case (let position?, nil): options.remove(at: position)
            case (let position?, let value?) where Self.isKept(option.name, value): options[position].value = value
            case (nil, let value?) where Self.isKept(option.name, value): options.append(option)
            default: continue
            }
        }
        guard options.count <= Self.maximumDHCPOptions else {
            throw .invalidInput("the port has more than \(Self.maximumDHCPOptions) DHCP options")
        }
        return options
    }

    private static func isKept(_ name: String, _ value: String) -> Bool { !value.isEmpty || blankOptions.contains(name) }

    private static func option(_ json: JSONValue) throws(APIError) -> (ExtraDHCPOption, value: String?) {
        let refusal = APIError.invalidInput("No valid key specs matched for: \(json.pythonText)")
        guard let members = json.objectValue, Set(members.keys).isSubset(of: ["opt_name", "opt_value", "ip_version"]),
            let name = members["opt_name"]?.stringValue, let valueJSON = members["opt_value"],
            valueJSON.isNull || valueJSON.stringValue != nil
        else { throw refusal }
        let value = valueJSON.stringValue
        let isPlain = isOneLine(name, maximumOptionNameLength) && (value.map { isOneLine($0, maximumOptionValueLength) } ?? true)
        guard isPlain || (blankOptions.contains(name) && value == "") else { throw refusal }
        var version = IPVersion.v4
        if let number = members["ip_version"] {
            guard let given = try? IPVersion(json: number) else { throw refusal }
            version = given
        }
        return (ExtraDHCPOption(name: name, value: value ?? "", version: version), value)
    }

    /// Not blank and on one line: a line of an agent's file is one option.
    private static func isOneLine(_ text: String, _ maximum: Int) -> Bool {
        text.unicodeScalars.count <= maximum && text.contains { !$0.isWhitespace }
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && !$0.properties.isPatternLineBreak }
    }
}

extension Unicode.Scalar.Properties {
    /// U+2028 and U+2029; the other line breaks are control characters.
    fileprivate var isPatternLineBreak: Bool { generalCategory == .lineSeparator || generalCategory == .paragraphSeparator }
}
