// Verify a request, sign an answer, with javax.xml.crypto as the JDK has it. Usage: java XmlDsig.java FOLDER SECONDS;
// see run.py.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

public class XmlDsig {
    static final String OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    static final String WSSE = OASIS + "wssecurity-secext-1.0.xsd", WSU = OASIS + "wssecurity-utility-1.0.xsd";
    static final String EXC = CanonicalizationMethod.EXCLUSIVE, X509 = OASIS + "x509-token-profile-1.0#X509v3";

    final XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
    final DocumentBuilder builder;
    final Transformer writer;
    final byte[] request, answer;
    final PublicKey theirs;
    final PrivateKey ours;
    byte[] signed;

    XmlDsig(Path folder) throws Exception {
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        builders.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        builder = builders.newDocumentBuilder();
        writer = TransformerFactory.newInstance().newTransformer();
        request = Files.readAllBytes(folder.resolve("request.xml"));
        answer = Files.readAllBytes(folder.resolve("answer.xml"));
        theirs = CertificateFactory.getInstance("X.509")
            .generateCertificate(Files.newInputStream(folder.resolve("party.pem"))).getPublicKey();
        String pem = Files.readString(folder.resolve("hub.key")).replaceAll("-----[^-]+-----|\\s", "");
        ours = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    }

    /** The parts with a wsu:Id, at most three deep; each is made an ID of its document. */
    List<String> identify(Node node, int depth, List<String> found) {
        for (; node != null; node = node.getNextSibling()) {
            if (!(node instanceof Element element)) continue;
            if (element.hasAttributeNS(WSU, "Id")) {
                element.setIdAttributeNS(WSU, "Id", true);
                found.add(element.getAttributeNS(WSU, "Id"));
            }
            if (depth < 3) identify(element.getFirstChild(), depth + 1, found);
        }
        return found;
    }

    Void verify() throws Exception {
        Document document = builder.parse(new ByteArrayInputStream(request));
        identify(document.getDocumentElement(), 0, new ArrayList<>());
        Node signature = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0);
        DOMValidateContext context = new DOMValidateContext(theirs, signature);
        if (!factory.unmarshalXMLSignature(context).validate(context)) throw new Exception("not valid");
        return null;
    }

    Void sign() throws Exception {
        Document document = builder.parse(new ByteArrayInputStream(answer));
        List<Reference> references = new ArrayList<>();
        for (String id : identify(document.getDocumentElement(), 0, new ArrayList<>())) {
            references.add(factory.newReference("#" + id, factory.newDigestMethod(DigestMethod.SHA256, null),
                List.of(factory.newTransform(EXC, (TransformParameterSpec) null)), null, null));
        }
        var info = factory.newSignedInfo(factory.newCanonicalizationMethod(EXC, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null), references);
        Element security = (Element) document.getElementsByTagNameNS(WSSE, "Security").item(0);
        Element token = (Element) security.getElementsByTagNameNS(WSSE, "BinarySecurityToken").item(0);
        Element pointer = document.createElementNS(WSSE, "wsse:Reference");
        pointer.setAttribute("URI", "#" + token.getAttributeNS(WSU, "Id"));
        pointer.setAttribute("ValueType", X509);
        Element holder = document.createElementNS(WSSE, "wsse:SecurityTokenReference");
        holder.appendChild(pointer);
        var key = factory.getKeyInfoFactory().newKeyInfo(List.of(new DOMStructure(holder)));
        DOMSignContext context = new DOMSignContext(ours, security);
        context.setDefaultNamespacePrefix("ds");
        factory.newXMLSignature(info, key).sign(context);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        writer.transform(new DOMSource(document), new StreamResult(out));
        signed = out.toByteArray();
        return null;
    }

    static String measured(String name, Callable<Void> step, double seconds) throws Exception {
        StringBuilder out = new StringBuilder("\"" + name + "\": [");
        long begin = System.nanoTime();
        while ((System.nanoTime() - begin) / 1e9 < 2 * seconds) step.call(); // the compiler needs its time
        boolean first = true;
        for (begin = System.nanoTime(); (System.nanoTime() - begin) / 1e9 < seconds; first = false) {
            long before = System.nanoTime();
            step.call();
            out.append(String.format(Locale.ROOT, first ? "%.1f" : ", %.1f", (System.nanoTime() - before) / 1e3));
        }
        return out.append("]").toString();
    }

    public static void main(String[] words) throws Exception {
        Path folder = Path.of(words[0]);
        XmlDsig stack = new XmlDsig(folder);
        double seconds = Double.parseDouble(words[1]);
        System.out.println("{\"version\": \"JDK " + System.getProperty("java.version") + "\", "
            + measured("verify_us", stack::verify, seconds) + ", " + measured("sign_us", stack::sign, seconds) + "}");
        Files.write(folder.resolve("signed.xml"), stack.signed);
    }
}
