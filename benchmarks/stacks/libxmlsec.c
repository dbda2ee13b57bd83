/* Verify a request, sign an answer, with libxml2 and libxmlsec1 on OpenSSL. Usage: libxmlsec FOLDER SECONDS; see run.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <xmlsec/crypto.h>
#include <xmlsec/keys.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#define WSU BAD_CAST "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
#define MOST 200000

typedef struct { char *octets; int size; } file;
typedef void (*work)(file *, xmlSecKeyPtr, xmlChar **, int *);

static void fail(const char *why) { fprintf(stderr, "%s\n", why); exit(1); }

static const char *in(const char *folder, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static file read_file(const char *path) {
    file found = {malloc(1 << 22), 0};
    FILE *from = fopen(path, "rb");
    if (from == NULL) fail(path);
    found.size = (int)fread(found.octets, 1, 1 << 22, from);
    fclose(from);
    return found;
}

/* The parts of an envelope that may carry a wsu:Id stand at most three deep. */
static void identify(xmlDocPtr doc, xmlNodePtr node, int depth) {
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) continue;
        xmlAttrPtr id = xmlHasNsProp(node, BAD_CAST "Id", WSU);
        if (id != NULL) xmlAddID(NULL, doc, id->children->content, id);
        if (depth < 3) identify(doc, node->children, depth + 1);
    }
}

static xmlDocPtr parsed(file *xml, xmlNodePtr *signature) {
    xmlDocPtr doc = xmlReadMemory(xml->octets, xml->size, NULL, NULL, XML_PARSE_NONET);
    if (doc == NULL) fail("not parsed");
    identify(doc, xmlDocGetRootElement(doc), 0);
    *signature = xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs);
    return doc;
}

static void verify(file *xml, xmlSecKeyPtr key, xmlChar **out, int *size) {
    xmlNodePtr signature;
    xmlDocPtr doc = parsed(xml, &signature);
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    (void)out; (void)size;
    context->signKey = key;
    if (xmlSecDSigCtxVerify(context, signature) < 0 || context->status != xmlSecDSigStatusSucceeded) fail("not valid");
    context->signKey = NULL;
    xmlSecDSigCtxDestroy(context);
    xmlFreeDoc(doc);
}

static void sign(file *xml, xmlSecKeyPtr key, xmlChar **out, int *size) {
    xmlNodePtr signature;
    xmlDocPtr doc = parsed(xml, &signature);
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    context->signKey = key;
    if (xmlSecDSigCtxSign(context, signature) < 0) fail("not signed");
    context->signKey = NULL;
    xmlSecDSigCtxDestroy(context);
    xmlFree(*out);
    xmlDocDumpMemory(doc, out, size);
    xmlFreeDoc(doc);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void measure(const char *name, work step, file *xml, xmlSecKeyPtr key, double seconds, xmlChar **out, int *size) {
    static double waits[MOST];
    int count = 0;
    double begin = now();
    while (now() - begin < seconds / 4) step(xml, key, out, size);
    for (begin = now(); now() - begin < seconds && count < MOST; count++) {
        double before = now();
        step(xml, key, out, size);
        waits[count] = (now() - before) * 1e6;
    }
    printf("\"%s\": [", name);
    for (int place = 0; place < count; place++) printf(place ? ", %.1f" : "%.1f", waits[place]);
    printf("]");
}

int main(int argc, char **argv) {
    xmlChar *out = NULL;
    int size = 0;
    if (argc != 3) fail("usage: libxmlsec FOLDER SECONDS");
    xmlInitParser();
    if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0) fail("no xmlsec");
    file request = read_file(in(argv[1], "request.xml")), answer = read_file(in(argv[1], "answer-template.xml"));
    xmlSecKeyPtr theirs = xmlSecCryptoAppKeyLoad(in(argv[1], "party.pem"), xmlSecKeyDataFormatCertPem, NULL, NULL, NULL);
    xmlSecKeyPtr ours = xmlSecCryptoAppKeyLoad(in(argv[1], "hub.key"), xmlSecKeyDataFormatPem, NULL, NULL, NULL);
    if (theirs == NULL || ours == NULL) fail("no keys");
    printf("{\"version\": \"libxmlsec1 %s, libxml2 %s\", ", XMLSEC_VERSION, LIBXML_DOTTED_VERSION);
    measure("verify_us", verify, &request, theirs, atof(argv[2]), &out, &size);
    printf(", ");
    measure("sign_us", sign, &answer, ours, atof(argv[2]), &out, &size);
    printf("}\n");
    FILE *made = fopen(in(argv[1], "signed.xml"), "wb");
    fwrite(out, 1, (size_t)size, made);
    fclose(made);
    return 0;
}
