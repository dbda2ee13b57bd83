<?xml version="1.0" encoding="UTF-8"?>
<!-- Schuldregeling 1.0 to 1.1. Every message of 1.0 is one of 1.1. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0" xmlns:sr="urn:schuldenknooppunt:schuldregeling:1.0">
  <xsl:variable name="namespace">urn:schuldenknooppunt:schuldregeling:1.1</xsl:variable>

  <!-- Everything is copied, each name under the prefix that the sender chose: it is part of what was signed. -->
  <xsl:template match="*">
    <xsl:element name="{name()}" namespace="{namespace-uri()}">
      <xsl:apply-templates select="@* | node()"/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="sr:*">
    <xsl:element name="{name()}" namespace="{$namespace}">
      <xsl:apply-templates select="@* | node()"/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="@* | processing-instruction()">
    <xsl:copy/>
  </xsl:template>

  <xsl:template match="/*/kn:Berichtheader/kn:Stuurgegevens/kn:Versie/text()">1.1</xsl:template>
</xsl:stylesheet>
