import APISchema
import Addressing
import NetworkModel

/// What names may be: labels of letters, digits and hyphens (RFC 952, RFC 1123 section 2.1), and nothing that an agent's configuration could
/// mistake for more than a name. Pure.
enum DNSNames {
    /// Characters of a whole name, without the full stop at its end (RFC 1035).
    static let maximumLength = 255
    private static let maximumLabelLength = 63
    /// Words that a domain may have for a label: whoever publishes the name puts something in their place. Neutron takes them always, and
    /// announces `dns-integration-domain-keywords` where it publishes names itself, which this server does not.
    private static let keywords: Set<Substring> = ["<project_id>", "<project_name>", "<user_name>", "<user_id>"]

    /// The request's `dns_name` for a port, in lower case; nil when absent.
    ///
    /// - Parameter domain: The domain in which it will be answered, without a full stop at its end.
    static func portName<R: APIResource>(_ request: ResourceRequest<R>, in domain: String) throws(APIError) -> String? {
        guard let name = try text("dns_name", request), !name.isEmpty else { return request.contains("dns_name") ? "" : nil }
        try refuse("dns_name", formatRefusal(name) ?? lengthRefusal(name, domain))
        return name
    }

    /// The request's `dns_name` for a floating IP: never whole, since the domain comes beside it.
    static func floatingName<R: APIResource>(_ request: ResourceRequest<R>) throws(APIError) -> String? {
        guard let name = try text("dns_name", request), !name.isEmpty else { return request.contains("dns_name") ? "" : nil }
        guard !name.hasSuffix(".") else {
            throw .invalidAttribute("dns_name", "'\(name)' is a FQDN. It should be a relative domain name")
        }
        try refuse("dns_name", formatRefusal(name))
        guard name.count <= maximumLength - 3 else {
            throw .invalidAttribute(
                "dns_name",
                "'\(name)' contains \(name.count) characters. Adding a domain name will cause it to exceed the maximum length of a FQDN of "
                    + "'\(maximumLength)'")
        }
        return name
    }

    /// The request's `dns_domain`, with a full stop at its end; empty for none, nil when absent.
    static func domain<R: APIResource>(_ request: ResourceRequest<R>) throws(APIError) -> String? {
        guard let name = try text("dns_domain", request), !name.isEmpty else { return request.contains("dns_domain") ? "" : nil }
        guard name.hasSuffix(".") else { throw .invalidAttribute("dns_domain", "'\(name)' is not a FQDN") }
        try refuse("dns_domain", formatRefusal(name))
        guard name.count <= maximumLength - 2 else {
            throw .invalidAttribute(
                "dns_domain",
                "'\(name)' contains \(name.count) characters. Adding a sub-domain will cause it to exceed the maximum length of a FQDN of "
                    + "'\(maximumLength)'")
        }
        return name
    }

    private static func text<R: APIResource>(_ attribute: String, _ request: ResourceRequest<R>) throws(APIError) -> String? {
        guard let json = request[attribute] else { return nil }
        guard let text = json.stringValue else {
            throw .invalidAttribute(attribute, "'\(json.pythonText)' is not a valid string")
        }
        return text.lowercased()
    }

    private static func refuse(_ attribute: String, _ reason: String?) throws(APIError) {
        if let reason { throw .invalidAttribute(attribute, reason) }
    }

    private static func formatRefusal(_ name: String) -> String? {
        guard let reason = reason(name.hasSuffix(".") ? name.dropLast() : name[...]) else { return nil }
        return "'\(name)' not a valid PQDN or FQDN. Reason: \(reason)"
    }

    private static func reason(_ name: Substring) -> String? {
        guard name.count <= maximumLength else { return "'\(name)' exceeds the \(maximumLength) character FQDN limit" }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        for label in labels {
            if label.isEmpty { return "Encountered an empty component" }
            if label.hasPrefix("-") || label.hasSuffix("-") { return "Name '\(label)' must not start or end with a hyphen" }
            guard keywords.contains(label) || (label.count <= maximumLabelLength && label.utf8.allSatisfy(isLabelByte)) else {
                return "Name '\(label)' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
            }
        }
        if labels.count > 1, let last = labels.last, last.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return "TLD '\(last)' must not be all numeric"
        }
        return nil
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// A name that is not whole must fit in front of the domain; one that is must be in it.
    private static func lengthRefusal(_ name: String, _ domain: String) -> String? {
        guard !domain.isEmpty else { return nil }
        let rest = ".\(domain)."
        guard name.hasSuffix(".") else {
            guard name.count + rest.count > maximumLength else { return nil }
            return
                "The dns_name passed is a PQDN and its size is '\(name.count)'. The dns_domain option in neutron.conf is set to \(domain), "
                + "with a length of '\(rest.count)'. When the two are concatenated to form a FQDN (with a '.' at the end), the resulting "
                + "length exceeds the maximum size of '\(maximumLength)'"
        }
        guard name.count <= rest.count || !name.hasSuffix(rest) else { return nil }
        return
            "The dns_name passed is a FQDN. Its higher level labels must be equal to the dns_domain option in neutron.conf, that has been "
            + "set to '\(domain)'. It must also include one or more valid DNS labels to the left of '\(domain)'"
    }
}
