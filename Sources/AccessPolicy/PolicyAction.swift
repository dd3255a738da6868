/// What a request asks to be allowed: an operation, and those of its attributes that have rules of their own.
public struct PolicyAction: Hashable, Sendable {
    /// An attribute that a request names, and which of its parts.
    public struct Attribute: Hashable, Sendable {
        public var name: String
        /// Names of members (`enable_snat` of `external_gateway_info`), each once.
        public var parts: [String]

        public init(_ name: String, parts: [String] = []) {
            self.name = name
            self.parts = parts
        }
    }

    /// `create_port`
    public var rule: String
    public var attributes: [Attribute]

    public init(_ rule: String, attributes: [Attribute] = []) {
        self.rule = rule
        self.attributes = attributes
    }

    /// All rules that must pass, the operation's first.
    public var ruleNames: [String] {
        [rule]
            + attributes.flatMap { attribute in
                ["\(rule):\(attribute.name)"] + attribute.parts.map { "\(rule):\(attribute.name):\($0)" }
            }
    }

    /// As Neutron prints it: `(rule:create_port and (rule:create_port:fixed_ips and (rule:create_port:fixed_ips:ip_address)))`.
    public var text: String {
        attributes.reduce("rule:\(rule)") { text, attribute in
            let name = "rule:\(rule):\(attribute.name)"
            guard !attribute.parts.isEmpty else { return "(\(text) and \(name))" }
            return "(\(text) and (\(name) and (\(attribute.parts.map { "\(name):\($0)" }.joined(separator: " and ")))))"
        }
    }
}
