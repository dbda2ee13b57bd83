<?xml version="1.0" encoding="UTF-8"?>
<!-- Schuldregeling 2.0 to 1.1. Which messages, and when: [[bridge]] in the manifest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0" xmlns:sr="urn:schuldenknooppunt:schuldregeling:2.0">
  <xsl:variable name="namespace">urn:schuldenknooppunt:schuldregeling:1.1</xsl:variable>
  <xsl:variable name="prefix" select="substring(name(/*), 1, string-length(name(/*)) - string-length(local-name(/*)))"/>
  <xsl:variable name="element">
    <xsl:choose>
      <xsl:when test="/sr:Kennisgeving">KlantGemeldVoorSHV</xsl:when>
      <xsl:when test="/sr:KennisgevingPubliek">KlantBSNGemeldVoorSHV</xsl:when>
      <xsl:when test="/sr:GeenMedewerking">KlantOnbekend</xsl:when>
      <xsl:when test="/sr:SaldoVerzoekAntwoordVoorafAkkoord">SaldoVerzoekAntwoord</xsl:when>
      <xsl:otherwise><xsl:value-of select="local-name(/*)"/></xsl:otherwise>
    </xsl:choose>
  </xsl:variable>

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

  <xsl:template match="/sr:*">
    <xsl:element name="{$prefix}{$element}" namespace="{$namespace}">
      <xsl:apply-templates select="@* | node()"/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="/*/kn:Berichtheader/kn:Stuurgegevens/kn:Berichttype/text()">
    <xsl:value-of select="$element"/>
  </xsl:template>

  <xsl:template match="/*/sr:Adreskeuze">
    <xsl:element name="{$prefix}Adres" namespace="{$namespace}">
      <xsl:apply-templates select="kn:Straatadres/node()"/>
    </xsl:element>
  </xsl:template>

  <!-- 1.x has no reason: its message says that the client is unknown. -->
  <xsl:template match="/sr:GeenMedewerking/sr:Reden
                       | /sr:GeenMedewerking/text()[following-sibling::node()[1][self::sr:Reden]]"/>

  <xsl:template match="/sr:SaldoVerzoekAntwoordVoorafAkkoord/sr:Datum">
    <xsl:element name="{$prefix}StandaardAkkoord" namespace="{$namespace}">true</xsl:element>
    <xsl:copy-of select="preceding-sibling::node()[1][self::text()]"/>
    <xsl:element name="{name()}" namespace="{$namespace}">
      <xsl:apply-templates select="node()"/>
    </xsl:element>
  </xsl:template>
</xsl:stylesheet>
