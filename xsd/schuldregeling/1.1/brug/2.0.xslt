<?xml version="1.0" encoding="UTF-8"?>
<!-- Schuldregeling 1.1 to 2.0. Which messages, and when: [[bridge]] in the manifest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:kn="urn:schuldenknooppunt:knooppunt:1.0" xmlns:sr="urn:schuldenknooppunt:schuldregeling:1.1">
  <xsl:variable name="namespace">urn:schuldenknooppunt:schuldregeling:2.0</xsl:variable>
  <xsl:variable name="prefix" select="substring(name(/*), 1, string-length(name(/*)) - string-length(local-name(/*)))"/>
  <xsl:variable name="element">
    <xsl:choose>
      <xsl:when test="/sr:KlantGemeldVoorSHV">Kennisgeving</xsl:when>
      <xsl:when test="/sr:KlantBSNGemeldVoorSHV">KennisgevingPubliek</xsl:when>
      <xsl:when test="/sr:KlantOnbekend">GeenMedewerking</xsl:when>
      <xsl:when test="/sr:SaldoVerzoekAntwoord/sr:StandaardAkkoord">SaldoVerzoekAntwoordVoorafAkkoord</xsl:when>
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

  <xsl:template match="/*/kn:Berichtheader/kn:Stuurgegevens/kn:Versie/text()">2.0</xsl:template>

  <xsl:template match="/sr:*">
    <xsl:element name="{$prefix}{$element}" namespace="{$namespace}">
      <xsl:apply-templates select="@* | node()"/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="/*/kn:Berichtheader/kn:Stuurgegevens/kn:Berichttype/text()">
    <xsl:value-of select="$element"/>
  </xsl:template>

  <!-- The flat address with a street is the form Straatadres. Its white space is that of the elements around it. -->
  <xsl:template match="/*/sr:Adres[/sr:KlantGemeldVoorSHV or /sr:KlantBSNGemeldVoorSHV]">
    <xsl:element name="{$prefix}Adreskeuze" namespace="{$namespace}">
      <xsl:copy-of select="node()[last()][self::text()]"/>
      <xsl:element name="{substring-before(name(kn:Straatnaam), 'Straatnaam')}Straatadres"
                   namespace="urn:schuldenknooppunt:knooppunt:1.0">
        <xsl:apply-templates select="node()"/>
      </xsl:element>
      <xsl:copy-of select="preceding-sibling::node()[1][self::text()]"/>
    </xsl:element>
  </xsl:template>

  <!-- The message says by itself that the client is unknown; from 2.0 on that is a reason. -->
  <xsl:template match="/sr:KlantOnbekend/sr:KlantnummerSHV">
    <xsl:element name="{name()}" namespace="{$namespace}">
      <xsl:apply-templates select="node()"/>
    </xsl:element>
    <xsl:copy-of select="preceding-sibling::node()[1][self::text()]"/>
    <xsl:element name="{$prefix}Reden" namespace="{$namespace}">KLANT_ONBEKEND</xsl:element>
  </xsl:template>

  <!-- The flag becomes the message; it goes with the white space before it. -->
  <xsl:template match="/*/sr:StandaardAkkoord | /*/text()[following-sibling::node()[1][self::sr:StandaardAkkoord]]"/>
</xsl:stylesheet>
