import APISchema

/// Neutrino's own answers, in both forms that clients such as cloud-init know: Amazon's EC2 (`/latest/meta-data/…`) and OpenStack's
/// (`/openstack/latest/…`). Paths, listings and names of members are those of Nova's metadata service.
public enum MetadataDocuments {
    /// What stands at a path.
    public enum Document: Hashable, Sendable {
        case text(String)
        case json(String)
        case bytes([UInt8])
    }

    /// The versions of EC2's form. All have the same content.
    public static let ec2Versions = [
        "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "latest",
    ]
    /// The versions of OpenStack's form. All have the same content: a client takes the newest that it knows.
    public static let openStackVersions = [
        "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14",
        "latest",
    ]

    /// - Parameter path: The path of a URL, with or without slashes at its end or doubled ones, without a query.
    /// - Returns: Nil when there is nothing.
    public static func document(at path: String, for subject: InstanceSubject) -> Document? {
        var parts = path.split(separator: "/").map(String.init)[...]
        guard let version = parts.popFirst() else { return .text((ec2Versions + ["openstack"]).joined(separator: "\n")) }
        if version == "openstack" {
            guard let version = parts.popFirst() else { return .text(openStackVersions.joined(separator: "\n")) }
            guard openStackVersions.contains(version) else { return nil }
            return OpenStackMetadata.document(at: Array(parts), for: subject)
        }
        guard ec2Versions.contains(version) else { return nil }
        guard let part = parts.popFirst() else {
            return .text(subject.hasUserData ? "meta-data/\nuser-data" : "meta-data/")
        }
        switch part {
        case "meta-data": return EC2Metadata.node(for: subject).text(at: parts).map(Document.text)
        case "user-data" where parts.isEmpty: return subject.userData.map(Document.bytes)
        default: return nil
        }
    }
}
